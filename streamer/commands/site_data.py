"""The parts of ``ppewatch data`` that work on what a site has stored: export of judged frames, erasure."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from streamer.commands import CommandError, UsageError
from streamer.commands.options import moment
from streamer.commands.site_state import add_state_arguments, state_dir_of

ACTIONS: Final = ("examples", "erase")


def add_actions(actions: "argparse._SubParsersAction[Any]") -> None:
    """Declare the sub-commands."""
    examples = actions.add_parser("examples", help="a COCO set of the frames that people have judged")
    erase = actions.add_parser("erase", help="erase alerts with all that is stored of them")
    for action in (examples, erase):
        add_state_arguments(action)
        action.add_argument("--json", action="store_true", help="print JSON")
    examples.add_argument("--out", required=True, type=Path, metavar="DIR", help="the new set's folder")
    examples.add_argument("--since", type=moment, metavar="TIME", help="frames from then on (ISO 8601)")
    examples.add_argument(
        "--complete",
        action="store_true",
        help="take the models' boxes for all that there is, so that the rest of the picture teaches what is nothing",
    )
    chosen = erase.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--alert", action="append", default=[], metavar="ALERT_ID", help="this alert; repeatable"
    )
    chosen.add_argument("--before", type=moment, metavar="TIME", help="all from before then (ISO 8601)")


def run(args: argparse.Namespace) -> None:
    """Do it."""
    {"examples": _examples, "erase": _erase}[args.action](args)


def _examples(args: argparse.Namespace) -> None:
    from streamer.feedback.export import write_examples
    from streamer.feedback.reader import judged_examples

    state_dir = state_dir_of(args)
    examples = judged_examples(state_dir, since=args.since or 0.0)
    if not examples:
        raise CommandError(f"{state_dir} holds no frame that somebody has judged")
    site = _site_name(args) or "site"
    file = write_examples(examples, args.out, site=site, complete=args.complete)
    verdicts = [str(example.note.verdict) for example in examples]
    counts = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
    if args.json:
        print(json.dumps({"file": str(file), "pictures": len(examples), "verdicts": counts}))
    else:
        print(f"{file}: {len(examples)} pictures: {', '.join(f'{name} {n}' for name, n in counts.items())}")


def _site_name(args: argparse.Namespace) -> str | None:
    if args.config is None:
        return None
    from config import load_site

    return load_site(args.config).site.name


def _erase(args: argparse.Namespace) -> None:
    from streamer.alerts.payload import ALERT_ID_PATTERN
    from streamer.feedback.erase import erase

    for alert_id in args.alert:
        if not ALERT_ID_PATTERN.fullmatch(alert_id):
            raise UsageError(f"{alert_id!r} is no alert id")
    done = erase(state_dir_of(args), alert_ids=args.alert, before=args.before)
    if args.json:
        print(json.dumps(asdict(done)))
    else:
        print(
            f"erased {done.alerts} alerts: {done.messages} messages, {done.pictures} pictures, {done.notes} notes; "
            "what was sent before is with whoever got it"
        )
