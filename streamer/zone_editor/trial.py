"""What rules would have said of looks that are past: the daemon's own engine, begun anew."""

from collections.abc import Iterable
from dataclasses import replace

from rules import CameraEngine, Phase, Violation
from streamer.zone_editor.recent_looks import PackedLook
from streamer.zone_editor.values import Box, TrialAlert


def alerts_of(engine: CameraEngine, looks: Iterable[PackedLook]) -> tuple[TrialAlert, ...]:
    """The alerts that a fresh engine opens over ``looks``, in order; nobody was known before the first of them."""
    alerts: dict[str, TrialAlert] = {}
    for look in looks:
        for violation in engine.observe(look.detections(), look.captured_at):
            _take(alerts, violation, look.image_hw)
    return tuple(alerts.values())


def _take(alerts: dict[str, TrialAlert], violation: Violation, image_hw: tuple[int, int]) -> None:
    known = alerts.get(violation.violation_id)
    if violation.phase is Phase.OPENED:
        head = violation.head_xyxy
        alerts[violation.violation_id] = TrialAlert(
            rule=violation.rule,
            zone=violation.zone,
            missing=tuple(map(str, violation.gear)),
            at=violation.confirmed_at,
            started_at=violation.started_at,
            ended_at=None,
            track_id=violation.track_id,
            score=violation.score,
            box_xyxy=_relative(violation.box_xyxy, image_hw),
            head_xyxy=None if head is None else _relative(head, image_hw),
            persons=violation.count,
        )
    elif known is not None:
        alerts[violation.violation_id] = replace(
            known, ended_at=violation.ended_at, persons=max(known.persons, violation.count)
        )


def _relative(box: Box, image_hw: tuple[int, int]) -> Box:
    height, width = image_hw
    return (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
