"""``ppewatch explain``: why an alert was raised, and what happened since."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import CommandError, ExitCode, UsageError

if TYPE_CHECKING:
    from streamer.alerts.outbox import StoredMessage

HELP = "the trace of one alert: track, zone, evidence, dwell, suppression"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("alert_id", metavar="ALERT_ID")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="SITE.yaml", help="the site whose alert it is")
    where.add_argument("--state-dir", type=Path, metavar="DIR", help="the site's state_dir")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the alert's messages and their trace."""
    from streamer.alerts.outbox_reader import read_alert
    from streamer.alerts.payload import ALERT_ID_PATTERN

    if not ALERT_ID_PATTERN.fullmatch(args.alert_id):
        raise UsageError(f"{args.alert_id!r} is no alert id")
    state_dir = _state_dir(args)
    messages = read_alert(state_dir, args.alert_id)
    if not messages:
        raise CommandError(f"there is no alert {args.alert_id} in {state_dir}, or no longer")
    if args.json:
        print(json.dumps([_as_dict(message) for message in messages]))
    else:
        _print(messages)
    return ExitCode.DONE


def _state_dir(args: argparse.Namespace) -> Path:
    if args.state_dir is not None:
        return Path(args.state_dir)
    if args.config is not None:
        from config import load_site

        return load_site(args.config).state_dir
    import os

    from config.site import default_state_dir

    return Path(default_state_dir(os.environ))


def _as_dict(message: "StoredMessage") -> dict[str, Any]:
    return {
        "message": json.loads(message.body),
        "trace": None if message.trace is None else json.loads(message.trace),
        "snapshot": None if message.snapshot is None else str(message.snapshot),
        "acknowledged": message.acked_at is not None,
    }


def _print(messages: "list[StoredMessage]") -> None:
    first: dict[str, Any] = json.loads(messages[0].body)
    place = first["camera"] if first["zone"] is None else f"{first['camera']} / {first['zone']}"
    print(
        f"alert {first['alert_id']}: {', '.join(first['missing'])} missing, {place}, rule '{first['rule']}'"
    )
    print(f"  seen missing {first['started_at']}, confirmed {first['confirmed_at']}")
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
    for entry in trace:
        at = datetime.fromtimestamp(entry["at"], UTC).strftime("%H:%M:%S.%f")[:-3]
        print(f"  {at}  {entry['event']:<12} {entry['detail']}")
