"""Settings of a rule: who has to wear what, where and when, and how long until it is said."""

import re
from datetime import time
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from config.base import OneOrMore, Settings, Text, as_written, bounded
from config.quantities import Seconds
from config.suggestions import did_you_mean

#: Monday is 0, as for ``datetime.weekday``.
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG_NAMES: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})", re.ASCII)


class RequiredGear(StrEnum):
    """Protective equipment that a rule can require."""

    HARD_HAT = "hard_hat"
    FACE_MASK = "face_mask"


class Severity(StrEnum):
    """How loud an alert is."""

    ALERT = "alert"
    DETECTION = "detection"


class Allowance(StrEnum):
    """What a rule lets pass although it is not as it should be."""

    INCORRECT = "incorrect"


class AlertPer(StrEnum):
    """What one episode stands for."""

    PERSON = "person"
    ZONE = "zone"


def parse_days(value: Any) -> tuple[int, ...]:
    """Days of the week, Monday 0, sorted: ``mon-fri``, ``mon,wed``, ``sat-mon``, ``daily``, or a list of
    these.

    Raises ``ValueError`` that names the part that is no day.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not parts:
        raise ValueError("should be days such as mon-fri, or mon,wed,sat")
    days: set[int] = set()
    for part in parts:
        if isinstance(part, int) and not isinstance(part, bool) and type(part) is int:
            if not 0 <= part <= 6:
                raise ValueError("days as numbers run from 0 (Monday) to 6")
            days.add(part)
        elif isinstance(part, str):
            days |= _days_of(part.strip().lower())
        else:
            raise ValueError("should be days such as mon-fri, or mon,wed,sat")
    return tuple(sorted(days))


def _days_of(part: str) -> set[int]:
    if part in {"daily", "all", "*"}:
        return set(range(7))
    first, dash, last = part.partition("-")
    start = _day(first.strip())
    stop = _day(last.strip()) if dash else start
    return {(start + offset) % 7 for offset in range((stop - start) % 7 + 1)}


def _day(word: str) -> int:
    for names in (WEEKDAYS, _LONG_NAMES):
        if word in names:
            return names.index(word)
    shown = f"'{word}' is no day" if word else "a day is missing"
    raise ValueError(
        f"{shown}; days are {', '.join(WEEKDAYS)} or daily{did_you_mean(word, WEEKDAYS + _LONG_NAMES)}"
    )


def parse_time(value: Any) -> time:
    """A time of day ``HH:MM``; ``24:00`` is the midnight that ends the day. Raises ``ValueError``."""
    if isinstance(value, time):
        return value
    value = as_written(value)
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('should be a time of day such as "06:00"')
    hour, minute = int(match[1]), int(match[2])
    if (hour, minute) == (24, 0):
        return time(0)
    if hour > 23 or minute > 59:
        raise ValueError("a time of day runs from 00:00 to 24:00")
    return time(hour, minute)


_TimeOfDay = Annotated[
    time,
    PlainValidator(parse_time),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?[0-9]|2[0-4]):[0-5][0-9]$"}),
]


class ScheduleWindow(Settings):
    """A part of the week, in the site's time zone."""

    days: Annotated[
        tuple[Annotated[int, Field(ge=0, le=6)], ...],
        BeforeValidator(parse_days),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "minLength": 1},
                    {"type": "array", "minItems": 1, "items": {"type": "string"}},
                ]
            },
            mode="validation",
        ),
    ] = Field(
        default=tuple(range(7)),
        min_length=1,
        max_length=7,
        description="Days on which the window starts: `mon-fri`, `mon,wed`, `sat-mon`, `daily`, or a list.",
    )
    starts_at: _TimeOfDay = Field(default=time(0), alias="from", description='Start of the window, "HH:MM".')
    ends_at: _TimeOfDay = Field(
        default=time(0),
        alias="to",
        description='End of the window, "HH:MM". Not later than `from` means the next day: 22:00 to 06:00 is'
        " a night"
        " shift, and equal times are 24 hours.",
    )


class RuleSettings(Settings):
    """Who has to wear what, where and when, and how long until it is said."""

    name: Text = Field(
        min_length=1, max_length=100, description="Name of the rule, unique; it stands in every alert."
    )
    where: OneOrMore[Annotated[Text, Field(min_length=1, max_length=130)]] = Field(
        min_length=1,
        max_length=1000,
        description="Places: a camera (its whole picture), `camera/zone`, `*/zone` (that zone of every"
        " camera that has"
        ' it), or "*" (every camera).',
    )
    require: OneOrMore[RequiredGear] = Field(
        min_length=1,
        max_length=len(RequiredGear),
        description="Gear that has to be worn: `hard_hat`, `face_mask`.",
    )
    dwell_s: Seconds = bounded(
        default=2.0,
        alias="dwell",
        ge=0,
        le=3600,
        description="Missing for this long, in the time of the pictures, before the alert opens.",
    )
    clear_s: Seconds = bounded(
        default=5.0,
        alias="clear",
        ge=0,
        le=3600,
        description="Worn, out of the zone or gone for this long before the alert closes.",
    )
    cooldown_s: Seconds = bounded(
        default=60.0,
        alias="cooldown",
        ge=0,
        le=86_400,
        description="No new alert of this rule near the same place for this long after one has closed.",
    )
    update_s: Seconds = bounded(
        default=10.0,
        alias="update_interval",
        ge=1,
        le=3600,
        description="Shortest time between two updates of an open alert with a better snapshot.",
    )
    schedule: OneOrMore[ScheduleWindow] = Field(
        default=(),
        max_length=50,
        description="When the rule holds, in the site's time zone: one window or a list; always, when there"
        " is none.",
    )
    severity: Severity = Field(
        default=Severity.ALERT, description="`alert`, or the quieter `detection`; passed on in every message."
    )
    allow: OneOrMore[Allowance] = Field(
        default=(),
        max_length=len(Allowance),
        description="`incorrect`: a face mask that leaves nose or mouth free counts as worn.",
    )
    alert_per: AlertPer = Field(
        default=AlertPer.PERSON,
        description="`person`: one alert for each; `zone`: one for the zone with a count, for crowds.",
    )
    enabled: bool = Field(default=True, description="Switch the rule off without removing it.")
