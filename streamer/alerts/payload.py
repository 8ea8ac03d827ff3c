"""The wire form of an alert: the JSON that is published on ``<topic_prefix>/alerts``.

Schema 1. The order of the fields is fixed, the text is UTF-8 without spaces, numbers that are not finite are
refused; so the same alert gives the same bytes on every run. Readers must ignore fields that they do not
know.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

SCHEMA: Final = 1

#: What an ``alert_id`` may look like. It becomes a topic level and a file name, so nothing else is accepted.
ALERT_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class AlertType(StrEnum):
    """The part of an episode that a message tells."""

    NEW = "new"
    UPDATE = "update"
    END = "end"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one gear:

    its state (``missing``, ``incorrect``, ...), its score 0 to 1, and why.
    """

    state: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """Binds a JPEG to its alert: where it is published, its digest and size, and the time of its frame."""

    topic: str
    sha256: str
    size_bytes: int
    frame_time: float

    @classmethod
    def of(cls, jpeg: bytes, *, topic_prefix: str, alert_id: str, frame_time: float) -> "SnapshotInfo":
        """Describe ``jpeg``; ``frame_time`` is UTC epoch seconds."""
        return cls(
            topic=snapshot_topic(topic_prefix, alert_id),
            sha256=sha256(jpeg).hexdigest(),
            size_bytes=len(jpeg),
            frame_time=frame_time,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message of one episode, before the outbox has given it its number.

    Times are UTC epoch seconds. ``box_xyxy`` and ``head_xyxy`` are in pixels of the frame whose height and
    width ``image_hw`` gives; they may reach over its border and are clipped on the wire. ``missing`` names
    the gear.

    Raises ``ValueError`` when ``alert_id`` cannot be a topic level and a file name, or a number is not
    finite.
    """

    type: AlertType
    alert_id: str
    site: str
    camera: str
    zone: str | None
    rule: str
    missing: tuple[str, ...]
    severity: str
    track_id: int | None
    score: float
    box_xyxy: tuple[float, float, float, float]
    image_hw: tuple[int, int]
    started_at: float
    confirmed_at: float
    ended_at: float | None = None
    end_reason: str | None = None
    head_xyxy: tuple[float, float, float, float] | None = None
    person_count: int | None = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    snapshot: SnapshotInfo | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    config_revision: str | None = None

    def __post_init__(self) -> None:
        check_alert_id(self.alert_id)
        numbers = (self.score, *self.box_xyxy, *(self.head_xyxy or ()), self.started_at, self.confirmed_at)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"alert {self.alert_id}: holds a number that is not finite")
        object.__setattr__(self, "evidence", MappingProxyType(dict(self.evidence)))
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))

    def to_json(
        self, *, seq: int | None = None, published_at: float | None = None, delayed: bool = False
    ) -> bytes:
        """The message; the outbox and the publisher add what only they know."""
        return encode_json(
            {
                "schema": SCHEMA,
                "type": str(self.type),
                "alert_id": self.alert_id,
                "seq": seq,
                "site": self.site,
                "camera": self.camera,
                "zone": self.zone,
                "rule": self.rule,
                "missing": list(self.missing),
                "severity": self.severity,
                "track_id": self.track_id,
                "score": round(float(self.score), 4),
                "box": pixel_box(self.box_xyxy, self.image_hw),
                "head": None if self.head_xyxy is None else pixel_box(self.head_xyxy, self.image_hw),
                "person_count": self.person_count,
                "frame_size": [self.image_hw[1], self.image_hw[0]],
                "started_at": utc_iso(self.started_at),
                "confirmed_at": utc_iso(self.confirmed_at),
                "ended_at": None if self.ended_at is None else utc_iso(self.ended_at),
                "end_reason": self.end_reason,
                "published_at": None if published_at is None else utc_iso(published_at),
                "delayed": delayed,
                "evidence": {gear: _evidence_json(seen) for gear, seen in sorted(self.evidence.items())},
                "snapshot": None if self.snapshot is None else _snapshot_json(self.snapshot),
                "models": dict(sorted(self.models.items())),
                "config_revision": self.config_revision,
            }
        )


def finish_message(
    body: bytes,
    *,
    published_at: float,
    delayed: bool,
    snapshot: tuple[str, int] | None = None,
    without_snapshot: str | None = None,
) -> bytes:
    """A stored message as it goes out now: ``published_at`` and ``delayed`` are set, the order of fields is
    kept.

    ``snapshot`` (sha256, bytes) replaces the digest where the picture had to be made smaller on the way;
    ``without_snapshot`` says why there is none after all.
    """
    message: dict[str, Any] = json.loads(body)
    message["published_at"] = utc_iso(published_at)
    message["delayed"] = delayed
    if without_snapshot is not None:
        message["snapshot"] = None
        message["snapshot_missing"] = without_snapshot
    elif snapshot is not None and message["snapshot"] is not None:
        message["snapshot"]["sha256"], message["snapshot"]["bytes"] = snapshot
    return encode_json(message)


def stats_json(*, at: float, site: str, started_at: float, fields: Mapping[str, Any]) -> bytes:
    """The message on ``<topic_prefix>/stats``: ``fields`` is whatever the parts report, by part."""
    return encode_json(
        {
            "schema": SCHEMA,
            "site": site,
            "at": utc_iso(at),
            "uptime_s": round(max(0.0, at - started_at), 1),
            **fields,
        }
    )


def encode_json(value: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON in the mapping's own order; raises ``ValueError`` on NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def utc_iso(at: float) -> str:
    """UTC epoch seconds as ISO 8601 with milliseconds, for example ``2026-11-21T07:14:04.520Z``."""
    # integer milliseconds first: rounding the float inside datetime could show 1000 ms
    seconds, millis = divmod(round(at * 1000), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def parse_utc(text: str) -> float:
    """The way back from ``utc_iso``: UTC epoch seconds. Raises ``ValueError``."""
    return datetime.fromisoformat(text).timestamp()


def pixel_box(box_xyxy: tuple[float, float, float, float], image_hw: tuple[int, int]) -> list[int]:
    """``[x1, y1, x2, y2]`` in whole pixels that cover the box, clipped to the frame."""
    height, width = image_hw
    x1, y1, x2, y2 = box_xyxy
    return [
        min(max(math.floor(x1), 0), width),
        min(max(math.floor(y1), 0), height),
        min(max(math.ceil(x2), 0), width),
        min(max(math.ceil(y2), 0), height),
    ]


def alerts_topic(topic_prefix: str) -> str:
    """Where alert messages go."""
    return f"{topic_prefix}/alerts"


def snapshot_topic(topic_prefix: str, alert_id: str) -> str:
    """Where the pictures of one alert go."""
    return f"{topic_prefix}/alerts/{check_alert_id(alert_id)}/snapshot"


def check_alert_id(alert_id: str) -> str:
    """Return ``alert_id``; raises ``ValueError`` when it cannot be a topic level and a file name."""
    if not ALERT_ID_PATTERN.fullmatch(alert_id):
        raise ValueError(f"not an alert id: {alert_id!r}")
    return alert_id


def _evidence_json(seen: Evidence) -> dict[str, Any]:
    return {"state": seen.state, "score": round(float(seen.score), 4), "reason": seen.reason}


def _snapshot_json(info: SnapshotInfo) -> dict[str, Any]:
    return {
        "topic": info.topic,
        "sha256": info.sha256,
        "bytes": info.size_bytes,
        "frame_time": utc_iso(info.frame_time),
    }
