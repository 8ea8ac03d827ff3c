"""How many alerts there were, and how many are open, by camera and rule: for the metrics."""

from collections import Counter
from collections.abc import Iterable
from threading import Lock

from streamer.alerts.payload import Alert, AlertType
from streamer.web.status import AlertCount


class AlertTally:
    """Counts messages of alerts since the start. Any thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._expected: frozenset[tuple[str, str]] = frozenset()
        self._raised: Counter[tuple[str, str]] = Counter()
        self._open: dict[str, tuple[str, str]] = {}

    def expect(self, sources: Iterable[tuple[str, str]]) -> None:
        """Alerts may come of these cameras and rules, and of no others any more: they are counted before their first,
        which a rise from nothing at all would not show (Prometheus: "Avoid missing metrics").
        """
        with self._lock:
            self._expected = frozenset(sources)

    def take(self, alert: Alert) -> None:
        """A message was made."""
        key = alert.camera, alert.rule
        with self._lock:
            if alert.type is AlertType.NEW:
                self._raised[key] += 1
            if alert.type is AlertType.END:
                self._open.pop(alert.alert_id, None)
            else:
                self._open[alert.alert_id] = key

    def counts(self) -> list[AlertCount]:
        """Every camera and rule that had an alert or may have one, in their order."""
        with self._lock:
            raised, still_open = Counter(self._raised), Counter(self._open.values())
            expected = self._expected
        return [
            AlertCount(camera=camera, rule=rule, raised=raised[camera, rule], open=still_open[camera, rule])
            for camera, rule in sorted(raised.keys() | still_open.keys() | expected)
        ]
