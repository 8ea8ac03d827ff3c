"""``ppewatch explain``: why an alert was raised, or held back, and what happened since."""

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.site_state import add_state_arguments, state_dir_of

if TYPE_CHECKING:
    from streamer.alerts.outbox import StoredMessage
    from streamer.feedback.words import AlertNote

HELP = "the trace of one alert, or of what one suppression area held back: track, zone, evidence, dwell"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("alert_id", metavar="ALERT_ID", help="an alert, or a suppression area")
    add_state_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the alert's messages and their trace."""
    from streamer.alerts.outbox_reader import read_alert
    from streamer.alerts.payload import ALERT_ID_PATTERN
    from streamer.feedback import reader

    if not ALERT_ID_PATTERN.fullmatch(args.alert_id):
        raise UsageError(f"{args.alert_id!r} is no alert id")
    state_dir = state_dir_of(args)
    messages = read_alert(state_dir, args.alert_id)
    if not messages:
        return _explain_area(state_dir, args)
    notes = reader.notes_of(state_dir, args.alert_id)
    if args.json:
        said = [_note_as_dict(note) for note in notes]
        print(json.dumps([{**_as_dict(message), "notes": said} for message in messages]))
    else:
        _print(messages, notes)
    return ExitCode.DONE


def _explain_area(state_dir: Path, args: argparse.Namespace) -> int:
    from streamer.commands.suppressions import said_of
    from streamer.feedback import reader

    area = next((area for area in reader.areas(state_dir) if area.area_id == args.alert_id), None)
    if area is None:
        raise CommandError(f"there is no alert {args.alert_id} in {state_dir}, or no longer")
    held = reader.held_in(state_dir, args.alert_id)
    if args.json:
        print(json.dumps({**area.as_dict(), "episodes": [asdict(episode) for episode in held]}))
        return ExitCode.DONE
    print(f"suppression area {said_of(area)}")
    print(f"  learned from {', '.join(area.alert_ids)}")
    for episode in held:
        at = datetime.fromtimestamp(episode.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        print(f"\nheld back {at} UTC (track {episode.track_id}, {episode.score:.2f})")
        _print_trace(episode.trace)
    return ExitCode.DONE


def _note_as_dict(note: "AlertNote") -> dict[str, Any]:
    return {**asdict(note), "kind": "ack" if note.verdict is None else "feedback"}


def _as_dict(message: "StoredMessage") -> dict[str, Any]:
    return {
        "message": json.loads(message.body),
        "trace": None if message.trace is None else json.loads(message.trace),
        "snapshot": None if message.snapshot is None else str(message.snapshot),
        "acknowledged": message.acked_at is not None,
    }


def _print(messages: "list[StoredMessage]", notes: "list[AlertNote]") -> None:
    first: dict[str, Any] = json.loads(messages[0].body)
    place = first["camera"] if first["zone"] is None else f"{first['camera']} / {first['zone']}"
    print(
        f"alert {first['alert_id']}: {', '.join(first['missing'])} missing, {place}, rule '{first['rule']}'"
    )
    print(f"  seen missing {first['started_at']}, confirmed {first['confirmed_at']}")
    for note in notes:
        what = "acknowledged" if note.verdict is None else f"{note.verdict} {note.what}".rstrip()
        at = datetime.fromtimestamp(note.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        print(f"  {what} {at}{f', by {note.by}' if note.by else ''}{f': {note.note}' if note.note else ''}")
    for message in messages:
        told: dict[str, Any] = json.loads(message.body)
        delivered = "delivered" if message.acked_at is not None else "not delivered yet"
        ended = "" if told["end_reason"] is None else f", {told['end_reason']} at {told['ended_at']}"
        print(f"\n#{message.seq} {told['type']}{ended} (track {told['track_id']}, {delivered})")
        if message.snapshot is not None:
            print(f"  snapshot {message.snapshot}")
        for gear, seen in told["evidence"].items():
            print(f"  {gear}: {seen['state']} {seen['score']:.2f} ({seen['reason']})")
    # each message carries the whole trace so far, so the longest tells all
    traces: list[list[dict[str, Any]]] = [
        json.loads(message.trace) for message in messages if message.trace is not None
    ]
    trace: list[dict[str, Any]] = max(traces, key=len, default=[])
    if trace:
        print(f"\ntrace, UTC, from {datetime.fromtimestamp(trace[0]['at'], UTC).date()}")
    _print_trace(trace)


def _print_trace(trace: list[dict[str, Any]]) -> None:
    for entry in trace:
        at = datetime.fromtimestamp(entry["at"], UTC).strftime("%H:%M:%S.%f")[:-3]
        print(f"  {at}  {entry['event']:<12} {entry['detail']}")
