"""Buckets summed up as managers read them: by zone, by hour, by shift."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rules import Schedule
from streamer.history.buckets import Bucket, PersonSeconds, Place


@dataclass(frozen=True, slots=True)
class Shift:
    """A part of the working time: ``name`` and when it holds, in the site's time zone."""

    name: str
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` until before ``until``, UTC epoch seconds; ``name`` says what it is, empty: just that time."""

    since: float
    until: float
    name: str = ""


def by_place(buckets: Iterable[Bucket]) -> dict[Place, PersonSeconds]:
    """The sums of every place, in the order of places."""
    sums: dict[Place, PersonSeconds] = {}
    for bucket in buckets:
        sums[bucket.place] = sums.get(bucket.place, PersonSeconds()) + bucket.seconds
    return dict(sorted(sums.items()))


def by_period(
    buckets: Iterable[Bucket], period_of: Callable[[float], Period | None]
) -> dict[Period, dict[Place, PersonSeconds]]:
    """The sums of every place in each period, in order of time; buckets without a period are left out."""
    parts: dict[Period, list[Bucket]] = {}
    for bucket in buckets:
        period = period_of(bucket.starts_at)
        if period is not None:
            parts.setdefault(period, []).append(bucket)
    return {
        period: by_place(parts[period]) for period in sorted(parts, key=lambda each: (each.since, each.name))
    }


def hours(zone: ZoneInfo) -> Callable[[float], Period]:
    """Finds the hour of local time that a moment lies in, ``2026-11-22 19:00``; where the clock is put back, the two
    are two of one name.
    """

    def hour_of(at: float) -> Period:
        local = datetime.fromtimestamp(at, zone)
        since = at - local.minute * 60 - local.second - local.microsecond / 1e6
        return Period(since, since + 3600, f"{local:%Y-%m-%d %H}:00")

    return hour_of


def days(zone: ZoneInfo) -> Callable[[float], Period]:
    """Finds the local day that a moment lies in, of 23 to 25 hours."""

    def day_of(at: float) -> Period:
        day = datetime.fromtimestamp(at, zone).date()
        starts = [
            datetime(each.year, each.month, each.day, tzinfo=zone).timestamp()
            for each in (day, day + timedelta(days=1))
        ]
        return Period(starts[0], starts[1], day.isoformat())

    return day_of


def shifts_of(shifts: Sequence[Shift], zone: ZoneInfo) -> Callable[[float], Period | None]:
    """Finds the shift that a moment lies in, the first of several; None between shifts. Without shifts: the day."""
    if not shifts:
        return days(zone)

    def shift_of(at: float) -> Period | None:
        for shift in shifts:
            span = shift.schedule.span(at, zone)
            if span.active:
                return Period(span.since, span.until, shift.name)
        return None

    return shift_of
