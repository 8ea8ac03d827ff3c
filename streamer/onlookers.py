"""Who sees what the rules made of a look: the live pictures, the dialects of every look, and zones on trial."""

from collections.abc import Iterable, Sequence

from models.structures import Detections
from rules import Track
from streamer.dialects.looks import LookDialects
from streamer.frame import Frame
from streamer.judging.view import CameraView
from streamer.live.desk import LiveDesk
from streamer.zone_editor.recent_looks import RecentLooks


class Onlookers:
    """Hands every judged look on. ``recent``: the last minute's looks, on which zones are tried; None: nobody does."""

    def __init__(self, live: LiveDesk, dialects: LookDialects, recent: RecentLooks | None) -> None:
        self.live = live
        self.recent = recent
        self._dialects = dialects

    def want(self, camera_id: str) -> bool:
        """Whether anybody looks at a camera now."""
        return self.recent is not None or self._dialects.are_on or self.live.is_watched(camera_id)

    def take(self, frame: Frame, detections: Detections, tracks: Sequence[Track], view: CameraView) -> None:
        """A look that was judged (``streamer.judging.judge.LookHandler``)."""
        self.live.take(frame, detections, tracks, view)
        self._dialects.take(frame, detections, tracks, view)
        if self.recent is not None:
            self.recent.take(frame.camera_id, detections, frame.captured_at)

    def keep_only(self, camera_ids: Iterable[str]) -> None:
        """Forget the cameras that are no longer there."""
        kept = set(camera_ids)
        self.live.keep_only(kept)
        if self.recent is not None:
            self.recent.keep_only(kept)
