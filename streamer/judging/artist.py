"""Draws what an alert shows, where the frame is at hand."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.structures import Detections
from rules import Violation
from streamer.alerts.privacy import Box, Polygon
from streamer.alerts.snapshot import SnapshotAnnotations, make_snapshot
from streamer.feedback.example import Example, make_example
from streamer.frame import Frame
from streamer.judging.view import SnapshotStyle


class Artist(Protocol):
    """Makes the pictures of an alert. Both raise ``SnapshotError`` where there can be none."""

    def snapshot(self, frame: Frame, notes: SnapshotAnnotations, style: SnapshotStyle) -> bytes:
        """The JPEG of ``frame``; see ``make_snapshot``."""
        ...

    def example(
        self,
        frame: Frame,
        *,
        violation: Violation,
        detections: Detections,
        hidden_heads: Sequence[Box],
        privacy_polygons: Sequence[Polygon],
        model_digests: Mapping[str, str],
    ) -> Example:
        """The frame as it is kept for a verdict; see ``make_example``."""
        ...


class FrameArtist:
    """Draws from the frame's own pixels, here."""

    def snapshot(self, frame: Frame, notes: SnapshotAnnotations, style: SnapshotStyle) -> bytes:
        """See ``Artist``."""
        return make_snapshot(
            frame.rgb(),
            notes,
            max_bytes=style.max_bytes,
            longest_side_px=style.longest_side_px,
            quality=style.quality,
        )

    def example(self, frame: Frame, **facts: Any) -> Example:
        """See ``Artist``."""
        return make_example(frame.rgb(), frame_time=frame.captured_at, **facts)
