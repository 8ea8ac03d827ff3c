"""What is seen at every look, in the languages that ask for it."""

from collections.abc import Sequence
from typing import Protocol

from models.structures import Detections
from rules import Track
from streamer.dialects.deepstream import minimal_message
from streamer.dialects.onvif import metadata_message, metadata_topic
from streamer.frame import Frame
from streamer.judging.view import CameraView


class EventPublisher(Protocol):
    """Publishes messages that are worth nothing later; ``streamer.alerts.publisher.Publisher`` is one."""

    def publish_event(self, subtopic: str, payload: bytes, *, qos: int = 0) -> None:
        """Publish below the site's prefix; without a connection it is dropped and counted."""
        ...


class LookDialects:
    """Publishes every judged look at QoS 0, for those who draw or count: what may be lost on the way is no alert."""

    def __init__(self, publisher: EventPublisher, *, deepstream: bool = False, onvif: bool = False) -> None:
        self._publisher = publisher
        self._deepstream = deepstream
        self._onvif = onvif

    @property
    def are_on(self) -> bool:
        """Whether anything is published."""
        return self._deepstream or self._onvif

    def take(self, frame: Frame, _detections: Detections, tracks: Sequence[Track], _view: CameraView) -> None:
        """A look was judged."""
        camera_id, at = frame.camera_id, frame.captured_at
        if self._deepstream:
            self._publisher.publish_event(
                f"deepstream/{camera_id}", minimal_message(camera_id, frame.image_hw, frame.index, at, tracks)
            )
        if self._onvif:
            self._publisher.publish_event(
                metadata_topic(camera_id), metadata_message(camera_id, frame.image_hw, at, tracks)
            )
