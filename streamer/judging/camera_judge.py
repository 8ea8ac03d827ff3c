"""One camera from detections to messages: its rules and the composer of its alerts. No threads, no clock."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from models.structures import Detections
from rules import CameraEngine, Compliance, EndReason, Suppression, SuppressionArea, Track, Violation
from streamer.frame import Frame
from streamer.judging.artist import Artist
from streamer.judging.composer import AlertComposer, ComposedAlert, Scene
from streamer.judging.view import CameraView

#: A picture size for a camera that ends an episode before it gave one; cannot happen but for an empty engine.
_NO_PICTURE = (1, 1)


class CameraJudge:
    """Follows one camera. One thread at a time uses it.

    The daemon and ``ppewatch replay`` run this same class, so a recording gives what the camera would have given.
    """

    def __init__(
        self,
        engine: CameraEngine,
        view: CameraView,
        *,
        new_alert_id: Callable[[Violation], str],
        artist: Artist | None = None,
    ) -> None:
        self._engine = engine
        self.view = view
        self._composer = AlertComposer(view, new_alert_id=new_alert_id, artist=artist)
        self._image_hw = _NO_PICTURE
        self.model_digests: Mapping[str, str] = {}

    def look(self, frame: Frame, detections: Detections) -> list[ComposedAlert]:
        """Take one look; returns the messages that it leads to."""
        self._image_hw = frame.image_hw
        violations = self._engine.observe(detections, frame.captured_at)
        if not violations:
            return []
        return self._compose(violations, Scene(frame, detections, self._engine.tracks))

    def advance(self, at: float) -> list[ComposedAlert]:
        """Time passes without a frame; ``at`` is UTC epoch seconds."""
        return self._compose(self._engine.advance(at))

    def finish(self, reason: EndReason, at: float) -> list[ComposedAlert]:
        """End every open episode."""
        return self._compose(self._engine.finish(reason, at))

    def export_state(self) -> dict[str, Any]:
        """What another judge of the camera needs to go on, as a JSON-able dictionary: the state of the rules
        (``CameraEngine.export_state``), and under what name each open episode was told.
        """
        return {
            "engine": self._engine.export_state(),
            "alert_ids": dict(self._composer.alert_ids),
            "image_hw": list(self._image_hw),
        }

    def restore_state(self, state: Mapping[str, Any], at: float) -> list[ComposedAlert]:
        """Go on from an exported state, before the first look; ``at`` is now, UTC epoch seconds.

        Returns the messages of what has ended meanwhile. Raises ``ValueError`` as ``CameraEngine.restore_state`` does.
        """
        violations = self._engine.restore_state(state["engine"], at)
        self._composer.alert_ids.update(state["alert_ids"])
        height, width = state["image_hw"]
        self._image_hw = int(height), int(width)
        return self._compose(violations)

    def set_areas(self, areas: Iterable[SuppressionArea]) -> None:
        """Open no episodes in these places from the next look on: see ``CameraEngine.set_areas``."""
        self._engine.set_areas(areas)

    def take_held(self) -> list[Suppression]:
        """The episodes that these places held back since the last call."""
        return self._engine.take_held()

    @property
    def tracks(self) -> Sequence[Track]:
        """The people in view."""
        return self._engine.tracks

    @property
    def is_engaged(self) -> bool:
        """Whether no look may be held back: see ``CameraEngine.is_engaged``."""
        return self._engine.is_engaged

    def compliance(self) -> Sequence[Compliance]:
        """The counts of the camera and of its zones."""
        return self._engine.compliance()

    def _compose(self, violations: Sequence[Violation], scene: Scene | None = None) -> list[ComposedAlert]:
        return [
            self._composer.compose(
                violation, image_hw=self._image_hw, model_digests=self.model_digests, scene=scene
            )
            for violation in violations
        ]
