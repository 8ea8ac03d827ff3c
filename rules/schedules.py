"""When a rule holds: weekly windows in the site's time zone, right across midnight and changes to summer time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class ShiftWindow:
    """A part of the week in local time.

    - ``days``: days on which it starts, Monday 0.
    - ``starts_at``, ``ends_at``: local times of day. An end that is not later than the start lies on the next day, so
      22:00 to 06:00 is a night shift and equal times are a whole day.

    Raises ``ValueError`` for days outside 0 to 6, or times that carry a time zone.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    starts_at: time = time(0)
    ends_at: time = time(0)

    def __post_init__(self) -> None:
        if not self.days or not all(0 <= day <= 6 for day in self.days):
            raise ValueError("days are numbers from 0 (Monday) to 6, at least one")
        if self.starts_at.tzinfo is not None or self.ends_at.tzinfo is not None:
            raise ValueError("times of day are local and carry no time zone")


@dataclass(frozen=True, slots=True)
class Span:
    """Whether a schedule holds (``active``), from ``since`` until before ``until``, UTC epoch seconds."""

    active: bool
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """The union of its windows; with none it always holds. Windows do not start on ``holidays`` (local dates)."""

    windows: tuple[ShiftWindow, ...] = ()
    holidays: frozenset[date] = frozenset()

    def span(self, at: float, zone: ZoneInfo) -> Span:
        """The longest span around ``at`` (UTC epoch seconds) in which the schedule does not change.

        Spans are looked up ten days each way; what lasts longer ends there, and is the same when asked again. A local
        time that a change of the clock skips or repeats is read as RFC 5545 (3.3.5) says: skipped times count by the
        offset before the change, repeated ones mean the first.
        """
        if not self.windows:
            return Span(True, float("-inf"), float("inf"))
        reach_s = 10 * 86_400.0
        since, until = at - reach_s, at + reach_s
        for start, end in _merged(sorted(self._instants(at, zone))):
            if start <= at < end:
                return Span(True, start, end)
            if end <= at:
                since = max(since, end)
            else:
                until = min(until, start)
        return Span(False, since, until)

    def _instants(self, at: float, zone: ZoneInfo) -> Iterator[tuple[float, float]]:
        today = datetime.fromtimestamp(at, zone).date()
        for offset in range(-9, 10):
            day = today + timedelta(days=offset)
            if day in self.holidays:
                continue
            for window in self.windows:
                if day.weekday() in window.days:
                    last = day if window.ends_at > window.starts_at else day + timedelta(days=1)
                    yield _instant(day, window.starts_at, zone), _instant(last, window.ends_at, zone)


def local_midnight(at: float, zone: ZoneInfo) -> float:
    """The start of the local day that holds ``at``, UTC epoch seconds."""
    return _instant(datetime.fromtimestamp(at, zone).date(), time(0), zone)


def _instant(day: date, clock: time, zone: ZoneInfo) -> float:
    return datetime.combine(day, clock, tzinfo=zone).timestamp()


def _merged(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    held: tuple[float, float] | None = None
    for start, end in spans:
        if held is None:
            held = start, end
        elif start <= held[1]:
            held = held[0], max(held[1], end)
        else:
            yield held
            held = start, end
    if held is not None:
        yield held
