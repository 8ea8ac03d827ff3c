"""``ppewatch listen``: alerts as they come, their pictures verified; for people and for scripts."""

import argparse
import json
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.commands import ExitCode

if TYPE_CHECKING:
    from streamer.alerts.broker import Broker
    from streamer.alerts.listen import ReceivedAlert

HELP = "print alerts as they come, verify pictures and sequence, save snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, metavar="SITE.yaml", help="take the broker from there")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument(
        "--topic-prefix", metavar="PREFIX", help="default ppewatch/+, all sites of the broker"
    )
    parser.add_argument("--user")
    parser.add_argument("--password", help="${NAME} or file:/path keep it off the command line")
    parser.add_argument("--tls", action="store_true", help="trust the system's CA certificates")
    parser.add_argument("--save", type=Path, metavar="DIR", help="save snapshots and alerts.jsonl into DIR")
    parser.add_argument("--json", action="store_true", help="one JSON line for each message")


def run(args: argparse.Namespace) -> int:
    """Listen until interrupted; 1 when numbers or pictures were missing or wrong."""
    import sys

    from streamer.alerts.listen import AlertReader, describe_alert, listen

    broker, topic_prefix = _broker(args)

    def show(alert: "ReceivedAlert") -> None:
        line = (
            json.dumps({**alert.message, "picture": str(alert.check), "gap": alert.gap}, ensure_ascii=False)
            if args.json
            else describe_alert(alert)
        )
        print(line, flush=True)

    def notice(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    reader = AlertReader(on_alert=show, on_notice=notice, save_dir=args.save)
    notice(f"listening at {broker.address} below {topic_prefix}")
    summary = listen(broker, topic_prefix=topic_prefix, reader=reader, stop=stop, on_notice=notice)
    notice(summary.text())
    return ExitCode.DONE if summary.clean else ExitCode.FAILED


def _broker(args: argparse.Namespace) -> "tuple[Broker, str]":
    from streamer.alerts.broker import Broker, BrokerTls
    from streamer.commands.passwords import given_password
    from streamer.redaction import install_redaction

    if args.config is not None:
        from config import load_site
        from streamer import wiring

        site = load_site(args.config)
        install_redaction(site.secrets())
        return wiring.broker_of(site.mqtt), args.topic_prefix or site.mqtt.topic_prefix
    broker = Broker(
        host=args.host,
        port=args.port,
        user=args.user,
        password=given_password(args.password),
        tls=BrokerTls() if args.tls else None,
    )
    return broker, args.topic_prefix or "ppewatch/+"
