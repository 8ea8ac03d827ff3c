"""Who is watched, and the latest picture of each: between the screens and the thread that judges."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from models.structures import Detections
from rules import Track
from streamer.alerts.errors import SnapshotError
from streamer.frame import Frame
from streamer.judging.view import CameraView
from streamer.live.drawing import draw_live
from streamer.live.look import LivePicture

_log = logging.getLogger(__name__)

#: A camera that nobody has asked for in this time is watched no longer.
_WATCHED_FOR_S: Final = 10.0
#: Pictures of one camera come no faster than this: drawing one costs as much as a tenth of a look.
_LEAST_PAUSE_S: Final = 0.4


@dataclass(slots=True)
class _Seat:
    asked_s: float
    drawn_s: float = float("-inf")
    picture: LivePicture | None = None


class LiveDesk:
    """Keeps one picture of each camera that somebody watches, and none of the others. Any thread may call."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._seats: dict[str, _Seat] = {}

    def watch(self, camera_id: str) -> LivePicture | None:
        """Somebody looks at the camera: its latest picture, or None while there is none yet; the next will come.

        One from before it was last left alone is none: nobody knows how old it is.
        """
        with self._lock:
            now_s = self._clock()
            seat = self._seats.setdefault(camera_id, _Seat(now_s))
            if now_s - seat.asked_s > _WATCHED_FOR_S:
                seat.picture = None
            seat.asked_s = now_s
            return seat.picture

    def take(self, frame: Frame, detections: Detections, tracks: Sequence[Track], view: CameraView) -> None:
        """A look was judged: draw it if its camera is watched."""
        if not self.wants(frame.camera_id):
            return
        try:
            self.show(frame.camera_id, draw_live(frame, detections, tracks, view))
        except SnapshotError as error:
            _log.warning("camera %s: no live picture: %s", frame.camera_id, error)

    def wants(self, camera_id: str) -> bool:
        """Whether a picture of the camera is to be drawn now."""
        with self._lock:
            seat = self._seats.get(camera_id)
            if seat is None:
                return False
            now_s = self._clock()
            if now_s - seat.asked_s > _WATCHED_FOR_S:
                del self._seats[camera_id]
                return False
            return now_s - seat.drawn_s >= _LEAST_PAUSE_S

    def is_watched(self, camera_id: str) -> bool:
        """Whether somebody has asked for the camera lately."""
        with self._lock:
            seat = self._seats.get(camera_id)
            return seat is not None and self._clock() - seat.asked_s <= _WATCHED_FOR_S

    def show(self, camera_id: str, picture: LivePicture) -> None:
        """Take a picture that was wanted."""
        with self._lock:
            seat = self._seats.get(camera_id)
            if seat is not None:
                seat.picture, seat.drawn_s = picture, self._clock()

    def keep_only(self, camera_ids: Iterable[str]) -> None:
        """Forget the cameras that are no longer there."""
        kept = set(camera_ids)
        with self._lock:
            for camera_id in self._seats.keys() - kept:
                del self._seats[camera_id]
