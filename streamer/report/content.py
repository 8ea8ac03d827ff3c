"""What a report says, as values: person-seconds and alerts by place and by shift."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from streamer.history.buckets import Bucket, PersonSeconds, Place
from streamer.history.grouping import Period, Shift, by_period, by_place, shifts_of
from streamer.web.status import AlertSummary


@dataclass(frozen=True, slots=True)
class AlertCount:
    """Alerts in one place: how many, and for how long they lasted together (of those that have ended)."""

    count: int = 0
    ended: int = 0
    lasted_s: float = 0.0

    @property
    def mean_s(self) -> float | None:
        """Mean time that one lasted, or None when none has ended."""
        return self.lasted_s / self.ended if self.ended else None

    def with_alert(self, alert: AlertSummary) -> "AlertCount":
        """One more."""
        lasted_s = 0.0 if alert.ended_at is None else alert.ended_at - alert.started_at
        return AlertCount(
            self.count + 1, self.ended + (alert.ended_at is not None), self.lasted_s + max(0.0, lasted_s)
        )


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One gear in one place."""

    place: Place
    seconds: PersonSeconds
    alerts: AlertCount


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One shift, or the whole time: its rows, and the alerts of rules by name."""

    period: Period
    rows: tuple[ReportRow, ...]
    rules: dict[str, AlertCount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A site from ``since`` until before ``until``, UTC epoch seconds: the whole time, and each shift."""

    site: str
    whole: ReportPart
    shifts: tuple[ReportPart, ...]


def make_report(
    site: str,
    buckets: Sequence[Bucket],
    alerts: Iterable[AlertSummary],
    *,
    span: Period,
    shifts: Sequence[Shift],
    timezone: ZoneInfo,
) -> Report:
    """Put a report together. An alert belongs to the shift in which it was confirmed; those outside ``span`` or between
    shifts stand in no shift.
    """
    within = [alert for alert in alerts if span.since <= alert.confirmed_at < span.until]
    shift_of = shifts_of(shifts, timezone)
    seconds = by_period(buckets, shift_of)
    periods = {shift_of(alert.confirmed_at) for alert in within} | set(seconds)
    parts = [
        _part(period, seconds.get(period, {}), _in(within, period, shift_of))
        for period in sorted(filter(None, periods), key=lambda each: (each.since, each.name))
    ]
    return Report(site, _part(span, by_place(buckets), within), tuple(parts))


def _in(
    alerts: Iterable[AlertSummary], period: Period, shift_of: Callable[[float], Period | None]
) -> list[AlertSummary]:
    return [alert for alert in alerts if shift_of(alert.confirmed_at) == period]


def _part(period: Period, seconds: dict[Place, PersonSeconds], alerts: Sequence[AlertSummary]) -> ReportPart:
    counts: dict[Place, AlertCount] = {}
    rules: dict[str, AlertCount] = {}
    for alert in alerts:
        rules[alert.rule] = rules.get(alert.rule, AlertCount()).with_alert(alert)
        for gear in alert.missing:
            # an alert in a zone is one at the camera too, as its person-seconds are
            for place in {Place(alert.camera, alert.zone or "", gear), Place(alert.camera, "", gear)}:
                counts[place] = counts.get(place, AlertCount()).with_alert(alert)
    rows = tuple(
        ReportRow(place, seconds.get(place, PersonSeconds()), counts.get(place, AlertCount()))
        for place in sorted(seconds.keys() | counts.keys())
    )
    return ReportPart(period, rows, dict(sorted(rules.items())))
