"""Stored messages of alerts as the status page shows them."""

import json
from collections.abc import Sequence
from typing import Any

from streamer.alerts.alert_search import FoundAlert
from streamer.alerts.outbox import StoredMessage
from streamer.alerts.payload import AlertType, parse_utc
from streamer.feedback.words import AlertNote
from streamer.web.status import AlertDetail, AlertStep, AlertSummary, TraceEntry


def summary_of(found: FoundAlert, notes: Sequence[AlertNote] = ()) -> AlertSummary:
    """An alert in brief, as its latest message left it, and ``notes``, what people said of it."""
    seen = next((note for note in notes if note.verdict is None), None)
    judged = next((note for note in notes if note.verdict is not None), None)
    messages = found.messages
    told = _body(messages[0])
    pictured = next((body for body in map(_body, messages) if body["snapshot"] is not None), None)
    reasons = [evidence["reason"] for evidence in told["evidence"].values()]
    ended_at = told["ended_at"]
    return AlertSummary(
        alert_id=told["alert_id"],
        seq=found.seq,
        camera=told["camera"],
        zone=told["zone"],
        rule=told["rule"],
        missing=tuple(told["missing"]),
        severity=told["severity"],
        phase="ended" if told["type"] == AlertType.END else "open",
        started_at=parse_utc(told["started_at"]),
        confirmed_at=parse_utc(told["confirmed_at"]),
        ended_at=None if ended_at is None else parse_utc(ended_at),
        end_reason=told["end_reason"],
        score=told["score"],
        reason="; ".join(reasons),
        snapshot_sha256=None if pictured is None else pictured["snapshot"]["sha256"],
        delivered=all(message.acked_at is not None for message in messages),
        acknowledged_at=None if seen is None else seen.at,
        acknowledged_by="" if seen is None else seen.by,
        verdict=None if judged is None else judged.verdict,
        verdict_what="" if judged is None else judged.what,
    )


def detail_of(messages: Sequence[StoredMessage], notes: Sequence[AlertNote] = ()) -> AlertDetail:
    """All that is kept of an alert; ``messages`` newest first, at least one."""
    first = _body(messages[-1])
    # each message carries the whole trace so far, so the longest tells all
    traces: list[list[dict[str, Any]]] = [
        json.loads(message.trace) for message in messages if message.trace is not None
    ]
    return AlertDetail(
        summary=summary_of(FoundAlert(messages[-1].seq, tuple(messages)), notes),
        steps=tuple(_step(message) for message in reversed(messages)),
        trace=tuple(
            TraceEntry(at=entry["at"], event=entry["event"], detail=entry["detail"])
            for entry in max(traces, key=len, default=[])
        ),
        track_id=first["track_id"],
        box_xyxy=tuple(first["box"]),
        frame_wh=tuple(first["frame_size"]),
        models=first["models"],
        config_revision=first["config_revision"],
    )


def _step(message: StoredMessage) -> AlertStep:
    told = _body(message)
    return AlertStep(
        seq=message.seq,
        type=message.type,
        at=message.created_at,
        delivered=message.acked_at is not None,
        evidence={gear: f"{seen['state']}: {seen['reason']}" for gear, seen in told["evidence"].items()},
        score=told["score"],
        end_reason=told["end_reason"],
    )


def _body(message: StoredMessage) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(message.body)
    return told
