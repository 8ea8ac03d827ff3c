"""Alert-level figures of a recording: which violations were missed, how many alerts were false, how late they came.

A truth file is JSON, times in seconds from the start of the clip::

    {"duration_s": 61.0,
     "events": [{"gear": "face_mask", "started_at_s": 3.2, "ended_at_s": 20.0, "box": [812, 214, 934, 610]}]}

``box`` (pixels, where the person is at any time in the event) is optional; with it an alert must touch it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import StreamerError

Box = tuple[float, float, float, float]


class TruthFileError(StreamerError):
    """A truth file that cannot be read, with the file and the entry."""


@dataclass(frozen=True, slots=True)
class TruthEvent:
    """One person who is without ``gear`` from ``started_at_s`` to ``ended_at_s``, seconds of the clip."""

    gear: str
    started_at_s: float
    ended_at_s: float
    box_xyxy: Box | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happens in a clip of ``duration_s`` seconds."""

    duration_s: float
    events: tuple[TruthEvent, ...]


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """One alert of type ``new``: when it was confirmed (seconds of the clip), for what gear, and where."""

    gear: str
    confirmed_at_s: float
    box_xyxy: Box


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """How alerts compare with the truth; ``times_to_alert_s`` count from the start of each event that was found."""

    events: int
    found: int
    missed: int
    alerts: int
    false_alerts: int
    false_per_camera_hour: float
    times_to_alert_s: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json`` and the printed summary; medians are None when nothing was found."""
        times = sorted(self.times_to_alert_s)
        return {
            "events": self.events,
            "found": self.found,
            "missed": self.missed,
            "alerts": self.alerts,
            "false_alerts": self.false_alerts,
            "false_per_camera_hour": round(self.false_per_camera_hour, 3),
            "time_to_alert_s": {
                "median": round(times[len(times) // 2], 3) if times else None,
                "max": round(times[-1], 3) if times else None,
            },
        }

    def text(self) -> str:
        """Two lines for people."""
        times = self.as_dict()["time_to_alert_s"]
        timing = (
            f", time to alert: median {times['median']:.1f} s, at most {times['max']:.1f} s"
            if self.found
            else ""
        )
        return (
            f"of {self.events} events {self.found} found, {self.missed} missed{timing}\n"
            f"of {self.alerts} alerts {self.false_alerts} false: {self.false_per_camera_hour:.2f} per camera-hour"
        )


def read_truth(path: Path) -> Truth:
    """Read a truth file. Raises ``TruthFileError`` that names the file and the entry."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TruthFileError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TruthFileError(f"{path}: is no JSON: {error}") from error
    try:
        duration_s = float(data["duration_s"])
        rows = list(data["events"])
    except (TypeError, LookupError, ValueError, ArithmeticError) as error:
        raise TruthFileError(f"{path}: needs a number duration_s and a list events ({error})") from error
    if not 0 < duration_s < math.inf:
        raise TruthFileError(f"{path}: duration_s must be above 0")
    return Truth(duration_s, tuple(_event(row, f"{path}: events[{n}]") for n, row in enumerate(rows)))


def _event(row: Any, where: str) -> TruthEvent:
    try:
        box = row.get("box")
        event = TruthEvent(
            gear=str(row["gear"]),
            started_at_s=float(row["started_at_s"]),
            ended_at_s=float(row["ended_at_s"]),
            box_xyxy=None if box is None else _box(box),
        )
    except (AttributeError, TypeError, LookupError, ValueError, ArithmeticError) as error:
        raise TruthFileError(f"{where}: needs gear, started_at_s, ended_at_s ({error})") from error
    if not event.started_at_s <= event.ended_at_s:
        raise TruthFileError(f"{where}: ends before it starts")
    return event


def _box(values: Any) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def compare(truth: Truth, alerts: Sequence[RaisedAlert], *, grace_s: float = 3.0) -> AlertFigures:
    """Match alerts to events, earliest first; one alert finds at most one event and an event is found once.

    An alert belongs to an event of its gear when it was confirmed between the event's start and ``grace_s`` after its
    end (dwell and smoothing may confirm what has just ended) and its box touches the event's, if that has one. A
    second alert within an event that was found already counts as false: people complain of the same alarm again.
    """
    open_events = sorted(truth.events, key=lambda event: (event.started_at_s, event.ended_at_s))
    times_to_alert_s: list[float] = []
    false_alerts = 0
    for alert in sorted(alerts, key=lambda alert: alert.confirmed_at_s):
        event = next((event for event in open_events if _belongs(alert, event, grace_s)), None)
        if event is None:
            false_alerts += 1
        else:
            open_events.remove(event)
            times_to_alert_s.append(alert.confirmed_at_s - event.started_at_s)
    found = len(times_to_alert_s)
    return AlertFigures(
        events=len(truth.events),
        found=found,
        missed=len(truth.events) - found,
        alerts=len(alerts),
        false_alerts=false_alerts,
        false_per_camera_hour=false_alerts * 3600 / truth.duration_s,
        times_to_alert_s=tuple(times_to_alert_s),
    )


def _belongs(alert: RaisedAlert, event: TruthEvent, grace_s: float) -> bool:
    in_time = event.started_at_s <= alert.confirmed_at_s <= event.ended_at_s + grace_s
    return (
        alert.gear == event.gear
        and in_time
        and (event.box_xyxy is None or _touch(alert.box_xyxy, event.box_xyxy))
    )


def _touch(first: Box, second: Box) -> bool:
    return min(first[2], second[2]) > max(first[0], second[0]) and min(first[3], second[3]) > max(
        first[1], second[1]
    )
