"""Couriers and targets for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from alerts.alert_factory import make_alert

from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import Alert, AlertType
from streamer.webhooks.backoff import Backoff
from streamer.webhooks.courier import Courier
from streamer.webhooks.target import WebhookTarget

KEY = b"0123456789abcdef0123456789abcdef"
#: Fast enough for a test; its real values are tested by themselves.
FAST = Backoff(initial_s=0.02, max_s=0.1)


def target_at(url: str, **changes: Any) -> WebhookTarget:
    return (
        WebhookTarget(name="desk", url=url, shown=url.rpartition("/")[0], keys=(KEY,), timeout_s=5.0)
        if not (changes)
        else replace(target_at(url), **changes)
    )


@contextmanager
def courier(outbox: Outbox, target: WebhookTarget, **options: Any) -> Iterator[Courier]:
    outbox.webhooks.add_target(target.name)
    running = Courier(target, outbox, **{"backoff": FAST, **options})
    running.start()
    try:
        yield running
    finally:
        running.stop()


def episode(alert_id: str, **changes: Any) -> list[Alert]:
    """``new``, ``update`` and ``end`` of an alert."""
    new = make_alert(alert_id, **changes)
    ended = replace(new, type=AlertType.END, ended_at=new.confirmed_at + 30, end_reason="worn")
    return [new, replace(new, type=AlertType.UPDATE, score=0.97), ended]
