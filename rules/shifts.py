"""Which rules hold now, and since when the period that is counted runs."""

from zoneinfo import ZoneInfo

from rules.rule import Rule
from rules.schedules import Span, local_midnight

_DAY_S = 86_400.0


class Shifts:
    """The schedules of a camera's rules in the site's time zone, looked up again only when they change."""

    def __init__(self, rules: tuple[Rule, ...], zone: ZoneInfo) -> None:
        self._rules = rules
        self._zone = zone
        self._spans: list[Span | None] = [None] * len(rules)
        self._midnight: tuple[float, float] | None = None

    def is_active(self, rule: int) -> bool:
        """Whether a rule held at the latest ``update``."""
        span = self._spans[rule]
        return span is not None and span.active

    @property
    def active(self) -> tuple[int, ...]:
        """The rules that held at the latest ``update``."""
        return tuple(rule for rule in range(len(self._spans)) if self.is_active(rule))

    def update(self, at: float) -> list[tuple[int, float]]:
        """Take the time (UTC epoch seconds); returns the rules that have just ceased to hold, and when they did."""
        ended = []
        for index, rule in enumerate(self._rules):
            before = self._spans[index]
            if before is not None and before.since <= at < before.until:
                continue
            now = self._spans[index] = rule.schedule.span(at, self._zone)
            if before is not None and before.active and not now.active:
                ended.append((index, before.until))
        if self._midnight is None or not self._midnight[0] <= at < self._midnight[1]:
            start = local_midnight(at, self._zone)
            # the next local day begins 23 to 25 hours later
            self._midnight = start, local_midnight(start + 1.2 * _DAY_S, self._zone)
        return ended

    def period_since(self, rule: int) -> float:
        """Start of the shift that the rule is in, or the local midnight where it holds longer than a day on end."""
        span = self._spans[rule]
        if self._midnight is None or span is None:
            raise ValueError("update comes first")
        if span.until - span.since <= _DAY_S * 1.05:
            return span.since
        return self._midnight[0]
