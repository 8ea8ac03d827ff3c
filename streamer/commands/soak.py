"""``ppewatch soak``: a site for hours under faults; whether an alert is lost, and whether anything grows."""

import argparse
import json
import secrets
import sys
import tempfile
from pathlib import Path

from streamer.commands import ExitCode
from streamer.commands.ending import ended_by_sigterm
from streamer.commands.options import number

HELP = "run a site for hours under faults, and say whether an alert is lost or anything grows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "site",
        type=Path,
        nargs="?",
        metavar="SITE.yaml",
        help="cameras and rules of this site, with a broker and a state folder of the soak's own (default: recordings)",
    )
    parser.add_argument(
        "--hours", type=number(least=0.01, most=1000), default=1.0, help="how long (default 1)"
    )
    parser.add_argument(
        "--every",
        type=number(least=1, most=3600),
        default=60.0,
        metavar="SECONDS",
        help="mean time between two faults (default 60)",
    )
    parser.add_argument("--seed", type=int, help="the same seed chooses the same faults (default: by chance)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep site, state and logs there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Soak, print the figures and the verdict; 1 when something was lost or grows."""
    from streamer.bench.figures import as_lines
    from streamer.soak.soak import Soak

    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    with ended_by_sigterm(), tempfile.TemporaryDirectory(prefix="ppewatch-soak-") as scratch:
        folder = Path(scratch) if args.keep is None else args.keep.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        print(f"seed {seed}, in {folder}", file=sys.stderr)
        soak = Soak(
            folder,
            seconds=args.hours * 3600,
            seed=seed,
            site=args.site,
            every_s=args.every,
            tell=lambda text: print(text, file=sys.stderr, flush=True),
        )
        figures = soak.run()
    problems = figures["problems"]
    if args.json:
        print(json.dumps(figures))
    else:
        print(as_lines("soak", {name: value for name, value in figures.items() if name != "problems"}))
        print("\n".join(problems) if problems else "nothing was lost or doubled, and nothing grows")
    return ExitCode.FAILED if problems else ExitCode.DONE
