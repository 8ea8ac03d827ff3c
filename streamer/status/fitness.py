"""A camera's fitness as it is published: in its status, as events, and in ONVIF's words."""

from collections.abc import Sequence
from typing import Any, Final

from streamer.alerts.payload import encode_json, utc_iso
from streamer.dialects.onvif_fitness import onvif_message, onvif_states
from streamer.fitness.findings import Finding, FindingChange, FitnessReport
from streamer.fitness.head_sizes import ZoneHeads

SCHEMA: Final = 1


def fitness_json(report: FitnessReport) -> dict[str, Any]:
    """The part ``fitness`` of a camera's status."""
    return {"state": str(report.state), "findings": [_finding_json(finding) for finding in report.findings]}


def heads_json(zones: Sequence[ZoneHeads]) -> list[dict[str, Any]]:
    """The part ``heads`` of a camera's status: how large heads are at the network's input, by zone."""
    return [
        {
            "zone": heads.zone,
            "looks": heads.looks,
            "median_px": None if heads.median_px is None else round(heads.median_px, 1),
            "too_small": round(heads.too_small, 3),
            "small": round(heads.small, 3),
        }
        for heads in zones
    ]


def change_json(site: str, camera_id: str, change: FindingChange) -> bytes:
    """The event on ``cameras/<camera>/fitness``, not retained."""
    return encode_json(
        {
            "schema": SCHEMA,
            "type": "new" if change.ended_at is None else "end",
            "site": site,
            "camera": camera_id,
            **_finding_json(change.finding),
            "ended_at": None if change.ended_at is None else utc_iso(change.ended_at),
        }
    )


class OnvifProperties:
    """The states of cameras as ONVIF's properties, each with the time at which it became so."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bool, float]] = {}

    def messages(self, camera_id: str, report: FitnessReport, at: float) -> dict[str, bytes]:
        """Every property of a camera by topic; ``at``: now, UTC epoch seconds."""
        messages = {}
        for topic, state in onvif_states(camera_id, [finding.code for finding in report.findings]).items():
            if self._known.get(topic, (None, 0.0))[0] != state:
                self._known[topic] = state, at
            messages[topic] = encode_json(onvif_message(camera_id, state, utc_iso(self._known[topic][1])))
        return messages


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": str(finding.code),
        "since": utc_iso(finding.since),
        "value": round(finding.value, 3),
        "detail": finding.detail,
    }
