"""Episodes that were open when the daemon ended without a word (killed, power lost): closed at the next start."""

import json
import logging
from collections.abc import Callable

from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox, StoredMessage
from streamer.alerts.payload import Alert, AlertType, Evidence, parse_utc

_log = logging.getLogger(__name__)


def end_orphans(
    outbox: Outbox, intake: AlertIntake, *, at: float, on_end: Callable[[Alert], None] = lambda _: None
) -> int:
    """Send an ``end`` (``shutdown``) for every alert that never got one; returns how many. ``on_end`` is told of each.

    Nobody was watching since, so the episode ends when its last message was made, never after ``at`` (UTC epoch s).
    """
    orphans = outbox.open_alerts()
    for message in orphans:
        end = _end_of(message, at)
        intake.submit(end, trace=[{"at": at, "event": "restart", "detail": "the daemon had ended"}])
        on_end(end)
    if orphans:
        _log.warning("%d alerts were open when the daemon last ended; they are closed now", len(orphans))
    return len(orphans)


def _end_of(message: StoredMessage, at: float) -> Alert:
    told = json.loads(message.body)
    confirmed_at = parse_utc(told["confirmed_at"])
    x1, y1, x2, y2 = told["box"]
    width, height = told["frame_size"]
    return Alert(
        type=AlertType.END,
        alert_id=told["alert_id"],
        site=told["site"],
        camera=told["camera"],
        zone=told["zone"],
        rule=told["rule"],
        missing=tuple(told["missing"]),
        severity=told["severity"],
        track_id=told["track_id"],
        score=told["score"],
        box_xyxy=(x1, y1, x2, y2),
        image_hw=(height, width),
        started_at=parse_utc(told["started_at"]),
        confirmed_at=confirmed_at,
        ended_at=max(confirmed_at, min(message.created_at, at)),
        end_reason="shutdown",
        person_count=told["person_count"],
        evidence={
            gear: Evidence(seen["state"], seen["score"], seen["reason"])
            for gear, seen in told["evidence"].items()
        },
        models=told["models"],
        config_revision=told["config_revision"],
    )
