"""How the pages word its values: ages, sizes, local times, and which states are worth a colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from streamer.web.status import (
    AlertSummary,
    CameraStatus,
    HealthStatus,
    OutboxStatus,
    StageStatus,
    WorkerStatus,
    utc_text,
)

#: The tone of a state: ``good``, ``busy``, ``bad`` or ``off``. The word itself always stands beside the
#: colour.
_CAMERA_TONES: Final = {
    "online": "good",
    "connecting": "busy",
    "stalled": "bad",
    "refused": "bad",
    "disabled": "off",
}


#: From well to bad.
_TONES: Final = ("good", "busy", "bad")
_WEBHOOK_TONES: Final = {"idle": "busy", "ok": "good", "failing": "bad", "gone": "bad", "stopped": "off"}


@dataclass(frozen=True, slots=True)
class Health:
    """The page's headline: a tone (``good``, ``busy``, ``bad``) and a sentence."""

    tone: str
    text: str


def headline(
    health: HealthStatus,
    stages: Sequence[StageStatus],
    cameras: Sequence[CameraStatus],
    alerts: Sequence[AlertSummary],
    outbox: OutboxStatus,
) -> Health:
    """The one sentence at the top: what is wrong, else what goes on."""
    if health.hopeless:
        return Health("bad", f"Giving up: {health.detail}")
    late = [stage.name for stage in stages if stage.late]
    if late:
        return Health("bad", f"Not keeping up: {', '.join(late)}")
    if not stages or health.state == "starting":
        return Health("busy", "Starting")
    if health.state == "unready":
        return Health("bad", f"Nobody is watched: {health.detail}")
    wanted = [camera for camera in cameras if camera.state != "disabled"]
    online = sum(camera.state == "online" for camera in wanted)
    open_now = sum(alert.phase == "open" for alert in alerts)
    watched = f"{online} of {len(wanted)} {'camera' if len(wanted) == 1 else 'cameras'} online"
    alerted = f"{open_now or 'no'} open {'alert' if open_now == 1 else 'alerts'}"
    tone = "bad" if open_now else "good" if online == len(wanted) else "busy"
    if outbox.connected or outbox.reason == "starting":
        return Health(tone, f"{watched}, {alerted}")
    waiting = f"{outbox.pending} {'message waits' if outbox.pending == 1 else 'messages wait'}"
    return Health(
        "bad" if outbox.pending else max(tone, "busy", key=_TONES.index),
        f"{watched}, {alerted}; no connection to the broker, {waiting if outbox.pending else 'nothing waits yet'}",
    )


def worker_tone(worker: WorkerStatus) -> str:
    """The tone of the inference: well, at work but not as configured, or not at work."""
    if worker.ready:
        return "busy" if worker.state == "degraded" else "good"
    return "bad" if worker.state in {"recovering", "failed", "stopped"} else "busy"


def template_environment(timezone: str) -> Environment:
    """Jinja with autoescape, strict names and the page's filters; ``timezone`` is an IANA name."""
    zone = ZoneInfo(timezone)

    def local_time(at: float) -> str:
        moment = datetime.fromtimestamp(at, UTC).astimezone(zone)
        today = datetime.now(UTC).astimezone(zone).date()
        return moment.strftime("%H:%M:%S" if moment.date() == today else "%Y-%m-%d %H:%M:%S")

    def local_day(at: float) -> str:
        return f"{datetime.fromtimestamp(at, UTC).astimezone(zone):%a %d %b %Y}"

    environment = Environment(
        loader=PackageLoader("streamer.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        local_time=local_time,
        local_day=local_day,
        utc=utc_text,
        duration=duration,
        person_time=person_time,
        size=size,
        percent=percent,
        words=lambda text: str(text).replace("_", " "),
        camera_tone=lambda state: _CAMERA_TONES.get(state, "busy"),
        worker_tone=worker_tone,
        webhook_tone=lambda state: _WEBHOOK_TONES.get(state, "busy"),
    )
    return environment


def duration(seconds: float | None) -> str:
    """``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``; a dash for None."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 1:
        return f"{max(0.0, seconds):.1f} s"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def person_time(seconds: float) -> str:
    """A sum of person-seconds, in hours from two on: ``59 h``. A day of it would be nobody's working day."""
    if seconds < 2 * 3600:
        return duration(seconds)
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:,.0f} h".replace(",", "\N{THIN SPACE}")


def size(count: float) -> str:
    """Bytes in decimal units: ``48 kB``, ``5.2 GB``."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            break
    return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 as ``96 %``; a dash for None. What is not all does not read as all, nor some as none."""
    if share is None:
        return "\N{EN DASH}"
    if 0.995 <= share < 1:
        return "> 99 %"
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"
