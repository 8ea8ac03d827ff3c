"""What the status page shows, as plain values, and the protocol by which it asks for them.

Times are UTC epoch seconds and become ISO 8601 text on the wire, as in the MQTT payloads; ages are seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Protocol

from pydantic import PlainSerializer, WithJsonSchema

from streamer.alerts.alert_search import AlertFilter


def utc_text(at: float) -> str:
    """Epoch seconds as ISO 8601 in UTC with milliseconds: ``2026-11-21T07:14:02.480Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


UtcTime = Annotated[
    float,
    PlainSerializer(utc_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingStatus:
    """What is wrong with a camera: its code, since when, and in words."""

    code: str
    since: UtcTime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsStatus:
    """The heads seen in a zone (None: the whole picture): how many looks at one, their median height at the network's
    input in pixels, and the part of them that was too small for any verdict.
    """

    zone: str | None
    looks: int
    median_px: float | None
    too_small: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """One configured camera; the same words as its retained MQTT status.

    - ``state``: connecting, online, stalled, refused or disabled; ``reason`` says why, without secrets.
    - ``since``: when it took this state.
    - ``fps``: analysed frames per second, measured; ``wanted_fps`` is the configured number.
    - ``dropped_frames``: decoded frames that were replaced or too old before they could be analysed.
    - ``held_looks``: looks held back because nothing moved.
    - ``models``: names of those that look at it.
    - ``fitness``: off, unknown, learning, fit or unfit; ``findings`` say what is wrong.
    - ``heads``: how large heads are, the whole picture first, then by zone.
    """

    camera: str
    state: str
    since: UtcTime
    reason: str | None = None
    fps: float = 0.0
    wanted_fps: float | None = None
    last_frame_age_s: float | None = None
    reconnects: int = 0
    dropped_frames: int = 0
    held_looks: int = 0
    models: tuple[str, ...] = ()
    fitness: str = "off"
    findings: tuple[FindingStatus, ...] = ()
    heads: tuple[HeadsStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSummary:
    """One episode, as its latest message left it.

    - ``seq``: number of its first message, by which alerts are ordered.
    - ``phase``: open or ended; ``end_reason`` is one of judgement's words (worn, left_view, ...).
    - ``reason``: the evidence in words.
    - ``snapshot_sha256``: digest of the latest snapshot, None without one; changes when a better one comes.
    - ``delivered``: whether the broker has acknowledged all messages of it so far.
    - ``acknowledged_at``, ``acknowledged_by``: when somebody said that they have seen it, and who, if they said so.
    - ``verdict``: ``true_alarm`` or ``false_alarm`` where somebody said so; ``verdict_what``: what it was.
    """

    alert_id: str
    seq: int = 0
    camera: str
    zone: str | None
    rule: str
    missing: tuple[str, ...]
    severity: str
    phase: str
    started_at: UtcTime
    confirmed_at: UtcTime
    ended_at: UtcTime | None = None
    end_reason: str | None = None
    score: float
    reason: str = ""
    snapshot_sha256: str | None = None
    delivered: bool = False
    acknowledged_at: UtcTime | None = None
    acknowledged_by: str = ""
    verdict: str | None = None
    verdict_what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionStatus:
    """A small place of a camera's picture where a rule raises no alerts, learned from false alarms.

    - ``head``: x1, y1, x2, y2 of a head, relative to the picture, 0 to 1. ``alerts``: the ids of the false alarms.
    - ``held``: how many episodes it has held back.
    """

    area_id: str
    camera: str
    rule: str
    head: tuple[float, float, float, float]
    alerts: tuple[str, ...]
    made_at: UtcTime
    expires_at: UtcTime
    held: int = 0
    last_held_at: UtcTime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStep:
    """One message of an alert: ``type`` is new, update or end; ``at`` is when it was made.

    ``evidence`` says of each gear in words what was seen of it.
    """

    seq: int
    type: str
    at: UtcTime
    delivered: bool
    evidence: Mapping[str, str] = field(default_factory=dict)
    score: float
    end_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEntry:
    """One thing that the rules noted on the way to an alert, and when."""

    at: UtcTime
    event: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDetail:
    """Everything that is kept of one alert.

    - ``steps``: its messages, oldest first; ``trace``: what the rules noted, oldest first.
    - ``box_xyxy``: the person in pixels of the frame of ``frame_wh``.
    - ``models``: digests of the weights that saw it; ``config_revision``: the settings that judged it.
    """

    summary: AlertSummary
    steps: tuple[AlertStep, ...]
    trace: tuple[TraceEntry, ...] = ()
    track_id: int | None = None
    box_xyxy: tuple[int, ...] = ()
    frame_wh: tuple[int, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    config_revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCount:
    """Alerts of a rule at a camera: ``raised`` since the start, ``open`` now."""

    camera: str
    rule: str
    raised: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleCount:
    """Who wears a gear in a zone (None: the whole camera): persons now, and person-seconds over the shift.

    ``without_now`` takes in ``incorrect_now``.
    """

    camera: str
    zone: str | None
    gear: str
    with_now: int
    without_now: int
    incorrect_now: int
    indeterminate_now: int
    worn_s: float
    missing_s: float
    incorrect_s: float
    unknown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """One part of the daemon that must beat: late when its last beat is older than ``limit_s``, its thread has ended,
    or another is to take its place.

    - ``state``: beating, late, restarting or failed; ``reason``: why, as a code, empty while it beats.
    - ``restarts``: how often another took its place.
    """

    name: str
    late: bool
    last_beat_age_s: float | None
    limit_s: float
    state: str = "beating"
    reason: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    """The daemon as a whole; the same words as its retained ``health``.

    - ``state``: starting, ready, unready, failed, stopping or stopped; ``reason`` says why, as a code, ``detail`` in
      words.
    - ``since``: when state or reason changed last.
    - ``hopeless``: the process is about to end by itself.
    """

    state: str
    since: UtcTime
    reason: str = ""
    detail: str = ""
    hopeless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """The inference worker; counts are since the start, ``latency_s`` is the median from reception to
    detections.

    ``state`` and ``reason`` are codes (``streamer.inference.worker_status``): ``ready``; ``degraded`` for want of
    memory, on another device than the wished one, or because the models fail on the pictures of ``cameras_aside``;
    ``recovering`` and ``failed`` while nothing is looked at.

    ``models`` maps a model's name to the digest of its weights.
    """

    ready: bool
    device: str
    state: str = ""
    reason: str = ""
    cameras_aside: tuple[str, ...] = ()
    frames: int = 0
    batches: int = 0
    failed_batches: int = 0
    frames_per_s: float = 0.0
    latency_s: float | None = None
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """Delivery: ``broker`` is ``host:port`` without credentials; ``dropped`` counts over the site's life. ``reason`` is
    a code, ``ok`` while connected, and ``detail`` the same in words.

    ``held`` alerts wait in memory, for the disk does not take them; ``lost`` were given up there since the start, and
    have no number. ``problem`` says in words what is wrong with the disk, and is empty while nothing is.
    """

    connected: bool
    reason: str = ""
    detail: str = ""
    broker: str
    last_seq: int = 0
    pending: int = 0
    pending_bytes: int = 0
    kept: int = 0
    dropped: int = 0
    held: int = 0
    lost: int = 0
    problem: str = ""
    oldest_pending_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatus:
    """Delivery to one HTTP server: ``address`` is scheme, host and port alone.

    - ``state``: idle (nothing sent yet), ok, failing (tried again), gone (410, until a reload) or stopped; ``reason``
      is a code, empty while it is well, ``detail`` the same in words; ``since`` when either changed last.
    - ``pending`` events wait, the next attempt is due in ``next_attempt_s``.
    - ``delivered``, ``failed_attempts`` since the start; ``dropped`` events were given up, over the webhook's life.
    """

    name: str
    address: str
    state: str
    since: UtcTime
    reason: str = ""
    detail: str = ""
    pending: int = 0
    oldest_pending_age_s: float | None = None
    next_attempt_s: float | None = None
    delivered: int = 0
    failed_attempts: int = 0
    dropped: int = 0
    last_delivered_at: UtcTime | None = None


class StatusSource(Protocol):
    """Where the page gets its values. Called from the web server's threads; must answer within a moment.

    A ``StreamerError`` becomes a 503 with its message.
    """

    def cameras(self) -> Sequence[CameraStatus]:
        """Every configured camera, in the order of the configuration."""
        ...

    def alerts(
        self, limit: int, wanted: AlertFilter | None = None, *, before_seq: int | None = None
    ) -> Sequence[AlertSummary]:
        """The latest episodes, newest first, at most ``limit``; ``before_seq``: those older than that one."""
        ...

    def alert(self, alert_id: str) -> AlertDetail | None:
        """One episode, or None when it is not, or no longer, kept. ``alert_id`` has been checked for its form."""
        ...

    def alert_places(self) -> Sequence[tuple[str, str | None, str]]:
        """Camera, zone and rule of every alert that is kept, each once."""
        ...

    def suppressions(self) -> Sequence[SuppressionStatus]:
        """The suppression areas in force, oldest first."""
        ...

    def alert_counts(self) -> Sequence[AlertCount]:
        """Alerts by camera and rule."""
        ...

    def people(self) -> Sequence[PeopleCount]:
        """Who wears what where."""
        ...

    def stages(self) -> Sequence[StageStatus]:
        """Every stage that must beat; empty until the daemon has started them."""
        ...

    def health(self) -> HealthStatus:
        """The daemon as a whole. Waits for nothing, whatever hangs."""
        ...

    def worker(self) -> WorkerStatus:
        """The inference worker."""
        ...

    def outbox(self) -> OutboxStatus:
        """The outbox and the connection to the broker."""
        ...

    def webhooks(self) -> Sequence[WebhookStatus]:
        """Delivery to each webhook, in the order of the configuration."""
        ...

    def snapshot(self, alert_id: str) -> bytes | None:
        """The alert's latest JPEG, or None when there is none. ``alert_id`` has been checked for its form."""
        ...
