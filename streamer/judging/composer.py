"""One step of an episode as the message and the picture that are sent."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from models.structures import Detections
from rules import Phase, Track, Violation
from streamer.alerts.errors import SnapshotError
from streamer.alerts.payload import Alert, AlertType, Evidence, SnapshotInfo
from streamer.alerts.snapshot import SnapshotAnnotations
from streamer.feedback.example import Example
from streamer.frame import Frame
from streamer.judging.artist import Artist, FrameArtist
from streamer.judging.shown import bodies_shown, heads_shown, shapes_shown
from streamer.judging.view import CameraView

_log = logging.getLogger(__name__)

_TYPES: Final = {Phase.OPENED: AlertType.NEW, Phase.UPDATED: AlertType.UPDATE, Phase.CLOSED: AlertType.END}
#: States of gear that are written on a snapshot.
_WRONG: Final = frozenset({"missing", "incorrect"})


@dataclass(frozen=True, slots=True, eq=False)
class ComposedAlert:
    """A message, its picture (None without one) and what ``explain`` shows of it (JSON).

    ``example`` is the frame that opened the episode, where the camera keeps such.
    """

    alert: Alert
    jpeg: bytes | None
    trace: Any
    example: Example | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The frame that a violation was decided on, and what else was seen in it."""

    frame: Frame
    detections: Detections
    tracks: Sequence[Track]


class AlertComposer:
    """Makes the messages of one camera. ``new_alert_id`` names an episode at its first step; the name stands for
    all of them. ``alert_ids`` are those of the open episodes, by ``violation_id``; ``artist`` draws the pictures.
    """

    def __init__(
        self,
        view: CameraView,
        *,
        new_alert_id: Callable[[Violation], str],
        artist: Artist | None = None,
    ) -> None:
        self._artist = artist or FrameArtist()
        self._view = view
        self._new_alert_id = new_alert_id
        self.alert_ids: dict[str, str] = {}

    def compose(
        self,
        violation: Violation,
        *,
        image_hw: tuple[int, int],
        model_digests: Mapping[str, str],
        scene: Scene | None = None,
    ) -> ComposedAlert:
        """The message of one step. There is a picture when ``scene`` is given and the step asks for one."""
        alert_id = self.alert_ids.get(violation.violation_id)
        if alert_id is None:
            alert_id = self.alert_ids[violation.violation_id] = self._new_alert_id(violation)
        if violation.phase is Phase.CLOSED:
            del self.alert_ids[violation.violation_id]
        notes = None if scene is None else self._notes(violation, scene)
        jpeg = None if scene is None or notes is None else self._snapshot(violation, scene, notes)
        example = (
            None if scene is None or notes is None else self._example(violation, scene, notes, model_digests)
        )
        view = self._view
        alert = Alert(
            type=_TYPES[violation.phase],
            alert_id=alert_id,
            site=view.site,
            camera=violation.camera_id,
            zone=violation.zone,
            rule=violation.rule,
            missing=tuple(str(gear) for gear in violation.gear),
            severity=view.severities.get(violation.rule, "alert"),
            track_id=violation.track_id,
            score=violation.score,
            box_xyxy=violation.box_xyxy,
            head_xyxy=violation.head_xyxy,
            image_hw=image_hw,
            started_at=violation.started_at,
            confirmed_at=violation.confirmed_at,
            ended_at=violation.ended_at,
            end_reason=None if violation.end_reason is None else str(violation.end_reason),
            person_count=violation.count,
            evidence={
                str(gear): Evidence(str(verdict.state), verdict.score, verdict.reason)
                for gear, verdict in violation.evidence.items()
            },
            snapshot=None
            if jpeg is None or scene is None
            else SnapshotInfo.of(
                jpeg,
                topic_prefix=view.topic_prefix,
                alert_id=alert_id,
                frame_time=scene.frame.captured_at,
            ),
            models=model_digests,
            config_revision=view.config_revision,
        )
        return ComposedAlert(alert, jpeg, [entry.as_dict() for entry in violation.trace], example)

    def _notes(self, violation: Violation, scene: Scene) -> SnapshotAnnotations | None:
        """What is written on a step's picture; None for a step without one."""
        if violation.phase is not Phase.OPENED and not (
            violation.phase is Phase.UPDATED and violation.redraw
        ):
            return None
        style = self._view.snapshots
        return SnapshotAnnotations(
            violator_xyxy=violation.box_xyxy,
            head_xyxy=violation.head_xyxy,
            missing=_wrong_gear(violation),
            camera=violation.camera_id,
            rule=violation.rule,
            at=scene.frame.captured_at,
            timezone=style.timezone,
            zone=violation.zone,
            zone_polygon=self._view.zone_polygons.get(violation.zone or "", ()),
            others_xyxy=[
                track.observation.box_xyxy
                for track in scene.tracks
                if track.track_id != violation.track_id and track.last_seen_at == scene.frame.captured_at
            ],
            faces_xyxy=heads_shown(scene.detections),
            bodies_xyxy=bodies_shown(scene.detections),
            shapes=shapes_shown(scene.detections),
            blur=style.blur,
            privacy_polygons=self._view.privacy_polygons,
        )

    def _snapshot(self, violation: Violation, scene: Scene, notes: SnapshotAnnotations) -> bytes | None:
        style = self._view.snapshots
        if not style.enabled:
            return None
        try:
            return self._artist.snapshot(scene.frame, notes, style)
        except SnapshotError as error:
            # an alert without its picture is worth more than no alert
            _log.error("camera %s: no snapshot: %s", violation.camera_id, error)
            return None

    def _example(
        self,
        violation: Violation,
        scene: Scene,
        notes: SnapshotAnnotations,
        model_digests: Mapping[str, str],
    ) -> Example | None:
        if not self._view.keeps_examples or violation.phase is not Phase.OPENED:
            return None
        try:
            return self._artist.example(
                scene.frame,
                violation=violation,
                detections=scene.detections,
                hidden_heads=notes.hidden_heads(),
                privacy_polygons=notes.privacy_polygons,
                model_digests=model_digests,
            )
        except SnapshotError as error:
            _log.error("camera %s: the frame is not kept: %s", violation.camera_id, error)
            return None


def _wrong_gear(violation: Violation) -> dict[str, str]:
    states = {str(gear): str(verdict.state) for gear, verdict in violation.evidence.items()}
    wrong = {gear: state for gear, state in states.items() if state in _WRONG}
    return wrong or {str(gear): "missing" for gear in violation.gear}
