"""``ppewatch listen``: alerts as they come, their pictures verified; for people and for scripts."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.commands import ExitCode, UsageError
from streamer.commands.options import PASSWORD_HELP, whole_number

if TYPE_CHECKING:
    from streamer.alerts.broker import Broker
    from streamer.alerts.listen import ReceivedAlert

HELP = "print alerts as they come, verify pictures and sequence, save snapshots"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, metavar="SITE.yaml", help="take the broker from there")
    parser.add_argument("--host", help="the broker's name or address (default 127.0.0.1)")
    parser.add_argument(
        "--port", type=whole_number(least=1, most=65535), help="(default 1883, with --tls 8883)"
    )
    parser.add_argument(
        "--topic-prefix", metavar="PREFIX", help="default ppewatch/+, all sites of the broker"
    )
    parser.add_argument("--user", help="user name at the broker")
    parser.add_argument("--password", help=PASSWORD_HELP)
    parser.add_argument("--tls", action="store_true", help="trust the system's CA certificates")
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE.pem", help="trust these CA certificates alone; means --tls"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="save snapshots and alerts.jsonl into DIR")
    parser.add_argument("--json", action="store_true", help="one JSON line for each message")


def run(args: argparse.Namespace) -> int:
    """Listen until interrupted; 1 when numbers or pictures were missing or wrong."""
    from streamer.alerts.listen import AlertReader, describe_alert, listen

    broker, topic_prefix = _broker(args)

    def show(alert: "ReceivedAlert") -> None:
        line = (
            # ASCII: what a broker sends must not steer the terminal
            json.dumps({**alert.message, "picture": str(alert.check), "gap": alert.gap})
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
    summary = listen(
        broker,
        topic_prefix=topic_prefix,
        reader=reader,
        stop=stop,
        on_notice=notice,
        # said once the broker has confirmed, so that a script can wait for the line
        on_ready=lambda: notice(f"listening at {broker.address} below {topic_prefix}"),
    )
    notice(summary.text())
    return ExitCode.DONE if summary.clean else ExitCode.FAILED


def _broker(args: argparse.Namespace) -> "tuple[Broker, str]":
    """The broker and the prefix of the arguments. Raises ``UsageError`` or ``ConfigError``."""
    from streamer.alerts.broker import Broker, BrokerTls
    from streamer.commands.passwords import given_password
    from streamer.redaction import install_redaction

    if args.config is not None:
        from config import load_site
        from streamer import wiring

        for name in ("host", "port", "user", "password", "tls", "ca_file"):
            if getattr(args, name):
                raise UsageError(f"--{name.replace('_', '-')} belongs to SITE.yaml when --config is given")
        site = load_site(args.config)
        install_redaction(site.secrets())
        return wiring.broker_of(site.mqtt), args.topic_prefix or site.mqtt.topic_prefix
    tls = args.tls or args.ca_file is not None
    broker = Broker(
        host=args.host or "127.0.0.1",
        port=args.port or (8883 if tls else 1883),
        user=args.user,
        password=given_password(args.password),
        tls=BrokerTls(ca_file=args.ca_file) if tls else None,
    )
    return broker, args.topic_prefix or "ppewatch/+"
