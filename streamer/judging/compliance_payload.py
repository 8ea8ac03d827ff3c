"""The retained messages that tell how many wear what a rule requires, now and over the shift."""

from collections.abc import Iterator, Sequence
from typing import Any

from rules import Compliance
from streamer.alerts.payload import encode_json, utc_iso

SCHEMA = 1
#: The last level of their topics.
COMPLIANCE = "compliance"


def compliance_states(camera_id: str, counts: Sequence[Compliance]) -> Iterator[tuple[str, bytes]]:
    """Topic (below the prefix) and message of a camera and each of its zones.

    Shares are 0 to 1. ``worn_share`` is that of the time in which it could be told; it never goes without
    ``observable_share``, which says of how much of the time that is.
    """
    zones = dict.fromkeys(count.zone for count in counts)
    for zone in zones:
        message = {
            "schema": SCHEMA,
            "camera": camera_id,
            "zone": zone,
            "gear": {str(count.gear): _gear_json(count) for count in counts if count.zone == zone},
        }
        yield compliance_topic(camera_id, zone), encode_json(message)


def compliance_topic(camera_id: str, zone: str | None) -> str:
    """Where the counts of a camera (zone None), or of one of its zones, stand below the prefix."""
    below = "" if zone is None else f"zones/{zone}/"
    return f"cameras/{camera_id}/{below}{COMPLIANCE}"


def _gear_json(count: Compliance) -> dict[str, Any]:
    return {
        "now": {
            "with": count.with_now,
            "without": count.without_now,
            "incorrect": count.incorrect_now,
            "indeterminate": count.indeterminate_now,
        },
        "shift": {
            "since": utc_iso(count.since),
            "worn_s": round(count.worn_s, 1),
            "missing_s": round(count.missing_s, 1),
            "incorrect_s": round(count.incorrect_s, 1),
            "indeterminate_s": round(count.unknown_s, 1),
            "worn_share": _share(count.worn_share),
            "observable_share": _share(count.observable_share),
        },
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
