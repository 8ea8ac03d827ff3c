"""``ppewatch fleet``: how many sites stand, their settings in one folder, and changes in waves."""

import argparse
import contextlib
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import number, whole_number

if TYPE_CHECKING:
    from config.fleet import FleetSettings
    from streamer.fleet.book import FleetBook
    from streamer.fleet.folder import PlannedSite
    from streamer.fleet.rollout import Change, Rollout
    from streamer.fleet.subscribing import Answered, FleetSubscriber

HELP = "how many sites stand; check, compare and roll out their settings from one folder"

_ACTIONS: Final = ("show", "check", "diff", "rollout")
_CLEAR: Final = "\x1b[2J\x1b[H"
_CONNECT_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.05
#: Versions that are put into words of a command: a site says its own, and behind ``ssh`` words are read by a shell.
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}", re.ASCII)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[show|check|diff|rollout] FLEET",
        help="show (when left out): follow the sites; check: read all settings; diff: against what the sites have; "
        "rollout: bring them there in waves. FLEET: fleet.yaml, or the folder that holds it",
    )
    parser.add_argument(
        "--every",
        type=number(least=0.2, most=3600),
        default=2.0,
        metavar="S",
        help="show: anew each S seconds (2)",
    )
    parser.add_argument(
        "--once", action="store_true", help="show: once, after --settle, and fail where a site is not well"
    )
    parser.add_argument(
        "--settle",
        type=number(least=0, most=3600),
        default=2.0,
        metavar="S",
        help="until what brokers keep is taken to be here (2)",
    )
    parser.add_argument(
        "--page",
        type=whole_number(least=0, most=65535),
        metavar="PORT",
        help="show: a page at 127.0.0.1:PORT too",
    )
    parser.add_argument(
        "--site", action="append", default=[], metavar="NAME", help="diff, rollout: these alone"
    )
    parser.add_argument("--version", metavar="VERSION", help="rollout: this version in place of settings")
    parser.add_argument("--dry-run", action="store_true", help="rollout: say what would change")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Do one of them."""
    from config.fleet import load_fleet
    from streamer.redaction import install_redaction

    action, path = _asked(args.words)
    fleet = load_fleet(path)
    install_redaction(fleet.secrets())
    if action == "show":
        return _show(fleet, path, args)
    from streamer.fleet.folder import load_folder

    sites = load_folder(path, fleet)
    unknown = [name for name in args.site if name not in sites]
    if unknown:
        raise UsageError(f"there is no site {', '.join(unknown)} in {path}")
    if action == "check":
        told = {name: {"revision": site.revision, "target": str(site.target)} for name, site in sites.items()}
        cameras = sum(len(site.settings.cameras) for site in sites.values())
        print(json.dumps(told, indent=2) if args.json else f"{len(sites)} sites, {cameras} cameras: no fault")
        return ExitCode.DONE
    chosen = {name: site for name, site in sites.items() if not args.site or name in args.site}
    if action == "diff":
        return _diff(chosen, as_json=args.json)
    return _rollout(fleet, chosen, args)


def _asked(words: Sequence[str]) -> tuple[str, Path]:
    """The action and the fleet."""
    action, rest = (words[0], words[1:]) if words[0] in _ACTIONS else ("show", words)
    if len(rest) != 1:
        raise UsageError(f"needs one FLEET after one of {', '.join(_ACTIONS)}")
    return action, Path(rest[0])


def _show(fleet: "FleetSettings", path: Path, args: argparse.Namespace) -> int:
    from streamer.fleet.book import FleetBook, worst
    from streamer.fleet.folder import load_folder
    from streamer.fleet.table import fleet_json, fleet_lines

    book = FleetBook(silent_after_s=fleet.silent_after_s)
    for site in load_folder(path, fleet).values() if fleet.sites else ():
        book.expect(_broker_name(fleet, site), site.settings.mqtt.topic_prefix)
    stop = threading.Event()
    with _ended_by_signals(stop), _subscribed(fleet, book) as ready, _page(book, args.page):
        if args.once:
            all_answer = ready(args.settle, stop)
        else:
            stop.wait(args.settle)
        while not stop.is_set():
            views = book.views()
            if args.json:
                print(json.dumps(fleet_json(views)), flush=True)
            else:
                clear = _CLEAR if sys.stdout.isatty() and not args.once else ""
                print(clear + "\n".join(fleet_lines(views)), flush=True)
            if args.once:
                if not all_answer:
                    raise CommandError("not every broker answered; how its sites stand is not known")
                return ExitCode.FAILED if worst(views) else ExitCode.DONE
            stop.wait(args.every)
    # --once that was ended before it has told anything
    return ExitCode.FAILED if args.once else ExitCode.DONE


@contextlib.contextmanager
def _ended_by_signals(stop: threading.Event) -> "Iterator[None]":
    """Ctrl-C and SIGTERM set ``stop`` while the block runs, and do afterwards what they did before."""
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    for kind in before:
        signal.signal(kind, lambda *_: stop.set())
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


@contextlib.contextmanager
def _page(book: "FleetBook", port: int | None) -> "Iterator[None]":
    """Serve the page while the block runs, if it is wanted."""
    if port is None:
        yield
        return
    import importlib.metadata

    from streamer.fleet.page import create_fleet_app
    from streamer.web.server import WebServer

    app = create_fleet_app(book.views, version=importlib.metadata.version("ppewatch"))
    server = WebServer(app, "127.0.0.1", port)
    server.start()
    try:
        print(f"fleet: {server.address}", file=sys.stderr, flush=True)
        yield
    finally:
        server.stop()


def _diff(sites: "dict[str, PlannedSite]", *, as_json: bool) -> int:
    """Print what would change; 1 where anything would."""
    from difflib import unified_diff

    from models.printable import printable
    from streamer.fleet.folder import written

    changed = {}
    for name, site in sites.items():
        before = written(site.target)
        if before != site.text:
            old = (before or "").splitlines(keepends=True)
            lines = unified_diff(old, site.text.splitlines(keepends=True), str(site.target), str(site.source))
            changed[name] = "".join(lines)
    if as_json:
        print(json.dumps({"changed": changed, "unchanged": [name for name in sites if name not in changed]}))
    elif changed:
        print("\n".join(printable(text, kept="\n\t") for text in changed.values()))
    else:
        print(f"{len(sites)} sites: nothing would change")
    return ExitCode.FAILED if changed else ExitCode.DONE


def _rollout(fleet: "FleetSettings", sites: "dict[str, PlannedSite]", args: argparse.Namespace) -> int:
    from streamer.commands.ending import ended_by_sigterm
    from streamer.fleet.book import FleetBook
    from streamer.fleet.rollout import Rollout, Step

    if args.version is not None and not fleet.rollout.update:
        raise UsageError("--version needs a command in 'rollout: {update: ...}' of fleet.yaml")
    book = FleetBook(silent_after_s=fleet.silent_after_s)

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    rollout = Rollout(book, within_s=fleet.rollout.within_s, hold_s=fleet.rollout.hold_s, tell=tell)
    # the way back needs the brokers: SIGTERM reaches the rollout before they are left
    with ended_by_sigterm(), _subscribed(fleet, book, on_answer=rollout.answered) as ready:
        ready(args.settle)
        waves = [
            [_change(fleet, sites[name], book, args.version) for name in wave if name in sites]
            for wave in fleet.all_waves()
        ]
        waves = [wave for wave in waves if wave]
        if args.dry_run:
            return _say_what_would_be_done(waves, rollout, as_json=args.json)
        report = rollout.run(waves)
    if args.json:
        print(json.dumps({"stopped": report.stopped, "sites": report.steps}))
    else:
        print("\n".join(f"{name}: {step}" for name, step in report.steps.items()))
    well = not report.stopped and Step.FAILED not in report.steps.values()
    return ExitCode.DONE if well else ExitCode.FAILED


def _say_what_would_be_done(waves: "Sequence[Sequence[Change]]", rollout: "Rollout", *, as_json: bool) -> int:
    would_change = [{change.site: rollout.would_change(change) for change in wave} for wave in waves]
    if as_json:
        print(json.dumps({"waves": would_change}))
        return ExitCode.DONE
    for place, wave in enumerate(would_change, start=1):
        for site, changes in wave.items():
            print(f"wave {place}: {site}: {'would change' if changes else 'would stay'}")
    return ExitCode.DONE


def _change(fleet: "FleetSettings", site: "PlannedSite", book: "FleetBook", version: str | None) -> "Change":
    """Settings for a site, or a version."""
    from streamer.fleet.rollout import Change

    own, prefix = fleet.sites[site.name], site.settings.mqtt.topic_prefix
    values = {"site": site.name, "file": str(site.target)}
    if version is not None:
        view = book.view_of(prefix)
        before = view.version if view is not None and _VERSION.fullmatch(view.version) else ""
        return Change(
            site=site.name,
            prefix=prefix,
            hooks=[_filled(fleet.rollout.update, values | {"version": version})],
            back=[_filled(fleet.rollout.update, values | {"version": before})] if before else [],
            version=version,
        )
    hooks = [_filled(words, values) for words in (own.push, own.reload or fleet.rollout.reload) if words]
    return Change(
        site=site.name,
        prefix=prefix,
        target=site.target,
        text=site.text,
        hooks=hooks,
        back=hooks,
        revision=site.revision,
    )


def _filled(words: Sequence[str], values: dict[str, str]) -> list[str]:
    filled = []
    for word in words:
        for name, value in values.items():
            word = word.replace(f"{{{name}}}", value)  # noqa: PLW2901 - one after the other
        filled.append(word)
    return filled


@contextlib.contextmanager
def _subscribed(
    fleet: "FleetSettings", book: "FleetBook", *, on_answer: "Answered | None" = None
) -> "Iterator[_Ready]":
    """Follow all brokers while the block runs; what is given waits until they answer."""
    from streamer import wiring
    from streamer.fleet.subscribing import FleetSubscriber

    subscribers = [
        FleetSubscriber(
            name,
            wiring.fleet_broker_of(broker),
            broker.topics,
            book,
            on_notice=lambda text: print(text, file=sys.stderr, flush=True),
            on_answer=on_answer,
        )
        for name, broker in fleet.brokers.items()
    ]
    for subscriber in subscribers:
        subscriber.start()
    try:
        yield _Ready(subscribers)
    finally:
        for subscriber in subscribers:
            subscriber.stop()


class _Ready:
    """Waits until every broker has confirmed or refused, at most ``_CONNECT_S`` for all of them, and ``settle_s`` more.
    False: one has not confirmed. ``stop`` ends it at once.
    """

    def __init__(self, subscribers: Sequence["FleetSubscriber"]) -> None:
        self._subscribers = subscribers

    def __call__(self, settle_s: float, stop: threading.Event | None = None) -> bool:
        stop = stop or threading.Event()
        end_s = time.monotonic() + _CONNECT_S
        while any(not (one.ready.is_set() or one.refused.is_set()) for one in self._subscribers):
            if time.monotonic() >= end_s or stop.wait(_LOOK_EVERY_S):
                break
        stop.wait(settle_s)
        return all(one.ready.is_set() for one in self._subscribers)


def _broker_name(fleet: "FleetSettings", site: "PlannedSite") -> str:
    """Which of the fleet's brokers a site publishes to, by its address; else the only one, or the first."""
    mqtt = site.settings.mqtt
    for name, broker in fleet.brokers.items():
        if (broker.host, broker.port) == (mqtt.host, mqtt.port):
            return name
    return next(iter(fleet.brokers))
