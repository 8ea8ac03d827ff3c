"""``ppewatch demo``: the whole main job on the embedded clip and the embedded broker."""

import argparse
import logging
import threading
from pathlib import Path

from streamer.commands import ExitCode
from streamer.commands.options import number

HELP = "the main job on an embedded clip and broker: nothing to set up"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--seconds", type=number(above=0), metavar="N", help="end after so long (default: at Ctrl-C)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), metavar="DIR", help="snapshots go here"
    )


def run(args: argparse.Namespace) -> int:
    """Run broker, daemon and a listener that prints what a subscriber gets; 1 when no alert came in the time."""
    from config import load_site
    from streamer import wiring
    from streamer.alerts.listen import AlertReader, describe_alert, listen
    from streamer.app import Daemon
    from streamer.demo.broker import EmbeddedBroker
    from streamer.demo.site import free_listen_address, prepare_site
    from streamer.service.signals import Request, SignalRequests

    # people came to see alerts; with --debug they get the rest too
    if not args.debug:
        logging.getLogger().setLevel(logging.WARNING)
    stop = threading.Event()
    reader = AlertReader(
        on_alert=lambda alert: print(describe_alert(alert), flush=True),
        on_notice=lambda text: print(text, flush=True),
        save_dir=args.out / "received",
    )
    with EmbeddedBroker() as embedded, SignalRequests() as signals:
        path = prepare_site(
            args.out,
            broker_host=embedded.host,
            broker_port=embedded.port,
            http_listen=free_listen_address(),
        )
        site = load_site(path)
        listener = threading.Thread(
            target=listen,
            args=(wiring.broker_of(site.mqtt),),
            kwargs={
                "topic_prefix": site.mqtt.topic_prefix,
                "reader": reader,
                "stop": stop,
                "on_notice": lambda text: print(text, flush=True),
            },
            name="listener",
            daemon=True,
        )
        listener.start()
        daemon = Daemon(site)
        print("loading the models ...", flush=True)
        daemon.start(stopping=lambda: signals.wait(0.0) is Request.STOP)
        print(f"status page      {daemon.web_address}")
        print(f"snapshots        {args.out / 'received'}")
        print(f"settings         {path}")
        print("watching the demo clip; alerts follow (Ctrl-C ends)", flush=True)
        signals.wait(3600.0 * 24 * 365 if args.seconds is None else args.seconds)
        daemon.stop()
        stop.set()
        listener.join(5.0)
    print(reader.summary.text())
    return ExitCode.DONE if reader.summary.alerts or args.seconds is None else ExitCode.FAILED
