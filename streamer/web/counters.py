"""What the web server refused, for the metrics."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class Refusal(StrEnum):
    """Why a request or a connection was turned away."""

    CREDENTIALS = "credentials"
    GUESSING = "guessing"
    HOST = "host"
    FOREIGN = "foreign"
    BODY = "body"
    CONNECTIONS = "connections"
    SLOW = "slow"


class RefusalCounters(Collector):
    """Counts, and their metric ``ppewatch_http_refused_total``. Counted on the web server's event loop alone."""

    def __init__(self) -> None:
        self._counts: Counter[Refusal] = Counter()

    def add(self, reason: Refusal) -> None:
        """One more."""
        self._counts[reason] += 1

    def __getitem__(self, reason: Refusal) -> int:
        return self._counts[reason]

    def describe(self) -> Iterator[Metric]:
        """Nothing: the names are fixed."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """One number a reason, also of those that never happened."""
        family = CounterMetricFamily(
            "ppewatch_http_refused", "Requests and connections that were turned away.", labels=("reason",)
        )
        for reason in Refusal:
            family.add_metric([str(reason)], self._counts[reason])
        yield family
