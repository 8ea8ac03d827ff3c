"""Judged looks at the head, for live pictures and for those who ask for every look: in a thread of their own."""

import logging
import queue
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections
from rules import Track
from streamer.alerts.errors import SnapshotError
from streamer.cluster.errors import PeerError
from streamer.cluster.peer import Peer
from streamer.cluster.wire import FrameKey, JudgedLook
from streamer.frame import Frame
from streamer.judging.view import CameraView

_log = logging.getLogger(__name__)

_KEPT: Final = 256
_ANSWER_S: Final = 1.0


class HeldPicture:
    """A picture that some ingest part holds: it is fetched at the size of a live picture, and at no other."""

    __slots__ = ("_holder", "_key", "image_hw")

    def __init__(self, key: FrameKey, image_hw: tuple[int, int], holder: Peer | None) -> None:
        self._key = key
        self._holder = holder
        self.image_hw = image_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """The whole picture at ``size_hw``. Raises ``SnapshotError`` when it cannot be had."""
        found: NDArray[np.uint8] | None = None
        try:
            if self._holder is not None:
                found = self._holder.call("small", self._key, size_hw or self.image_hw, timeout_s=_ANSWER_S)
        except PeerError as error:
            raise SnapshotError(f"whoever holds the frame does not answer: {error}") from error
        if found is None:
            raise SnapshotError("the frame is not held any more")
        return found

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> Any:  # noqa: ARG002
        """Raises ``SnapshotError``: parts stay where the frame is."""
        raise SnapshotError("the frame is on another machine")

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> Any:  # noqa: ARG002
        """See ``part_rgb``."""
        raise SnapshotError("the frame is on another machine")


class LooksShown:
    """Hands looks on to ``on_look``; what comes faster than that is dropped."""

    def __init__(self, on_look: Callable[[Frame, Detections, Sequence[Track], CameraView], None]) -> None:
        self._on_look = on_look
        self._queue: queue.Queue[tuple[JudgedLook, Peer | None] | None] = queue.Queue(_KEPT)
        Thread(target=self._run, name="looks", daemon=True).start()

    def put(self, judged: JudgedLook, holder: Peer | None) -> None:
        """A look was judged; its frame is with ``holder``. Never blocks."""
        if not self._queue.full():
            self._queue.put_nowait((judged, holder))

    def close(self) -> None:
        """End the thread."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            judged, holder = item
            look = judged.look
            frame = Frame(
                camera_id=look.key.camera_id,
                index=look.key.index,
                pts_s=look.pts_s,
                captured_at=look.key.captured_at,
                received_mono_s=look.received.here(),
                picture=HeldPicture(look.key, look.detections.image_hw, holder),
            )
            try:
                self._on_look(frame, look.detections, judged.tracks, judged.view)
            except Exception:  # noqa: BLE001 - whoever looks on must not end the looking on
                _log.exception("camera %s: a look could not be shown", look.key.camera_id)
