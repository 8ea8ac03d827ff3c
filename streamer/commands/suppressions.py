"""``ppewatch suppressions``: the places where false alarms are held back, shown and removed."""

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from streamer.commands import CommandError, ExitCode
from streamer.commands.site_state import add_state_arguments, state_dir_of

if TYPE_CHECKING:
    from streamer.feedback.areas import StoredArea

HELP = "the small places where repeated false alarms are held back: list and remove them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = actions.add_parser("list", help="every area in force, and how much it held back")
    removed = actions.add_parser("remove", help="take areas away; a daemon that runs notices at once")
    chosen = removed.add_mutually_exclusive_group(required=True)
    chosen.add_argument("area_id", nargs="?", metavar="AREA_ID")
    chosen.add_argument("--camera", metavar="NAME", help="all of this camera")
    for action in (shown, removed):
        add_state_arguments(action)
        action.add_argument(
            "--json", action="store_true", help="print JSON; `replay --areas` reads that of list"
        )


def run(args: argparse.Namespace) -> int:
    """Do it."""
    from streamer.feedback import reader

    state_dir = state_dir_of(args)
    if args.action == "list":
        areas = reader.areas(state_dir)
    else:
        areas = reader.remove_areas(state_dir, area_id=args.area_id, camera=args.camera)
        if not areas:
            raise CommandError(f"there is no such suppression area in {state_dir}")
    if args.json:
        print(json.dumps([area.as_dict() for area in areas]))
        return ExitCode.DONE
    for area in areas:
        print(f"{'removed ' if args.action == 'remove' else ''}{said_of(area)}")
    if not areas:
        print("no suppression areas")
    return ExitCode.DONE


def said_of(area: "StoredArea") -> str:
    """One area in one line."""
    x1, y1, x2, y2 = area.head_xyxy
    until = datetime.fromtimestamp(area.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{area.area_id}  {area.camera}, rule '{area.rule}', head at {x1:.3f},{y1:.3f} {x2:.3f},{y2:.3f}, "
        f"from {len(area.alert_ids)} false alarms, held back {area.held}, until {until}"
    )
