"""Runs every fault and prints the table: ``make faults``.

``ARGS="--short"`` for a handful of alerts each, ``--only TEXT`` for some faults, ``--markdown FILE`` and
``--json FILE`` to keep the table. Ends with 1 when something was lost or duplicated, or could not be tried.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults.ledger import LEGEND, Row, as_markdown, as_text  # noqa: E402 - what is run as a script finds them now
from faults.registry import Fault, Size, all_faults  # noqa: E402
from faults.rig import FaultRig, StuckError  # noqa: E402

from streamer.commands.ending import ended_by_sigterm  # noqa: E402


def run_fault(fault: Fault, folder: Path, size: Size, *, seed: int) -> Row:
    """Inject one fault ``size.times`` times in a site of its own in ``folder``, and compare."""
    with FaultRig(folder) as rig:
        inject(rig, fault, size, seed=seed)
        return rig.finish(fault.name)


def inject(rig: FaultRig, fault: Fault, size: Size, *, seed: int) -> None:
    """Inject one fault; the row is up to the caller."""
    rig.alerts = size.alerts
    try:
        fault.inject(rig, times=size.times, seed=seed)
    except StuckError as stuck:
        rig.problems.append(str(stuck))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign; the exit code."""
    args = _arguments(argv)
    chosen = [fault for fault in all_faults() if args.only is None or args.only in fault.name]
    folder = args.folder or Path(tempfile.mkdtemp(prefix="ppewatch-faults-"))
    print(f"seed {args.seed}, in {folder}", flush=True)
    began_s = time.monotonic()
    rows: list[Row] = []
    skipped: list[str] = []
    for number, fault in enumerate(chosen):
        missing = fault.needs()
        if missing is not None:
            skipped.append(f"{fault.name}: not tried, {missing}")
            print(skipped[-1], flush=True)
            continue
        size = fault.short if args.short else fault.full
        with ended_by_sigterm():
            row = run_fault(fault, folder / f"{number:02d}", size, seed=args.seed + number)
        rows.append(row)
        print(f"{' '.join(row.cells())}  ({row.seconds:.0f} s)", *row.notes, sep="\n    ", flush=True)
    print(f"\n{as_text(rows)}\n{len(rows)} faults in {time.monotonic() - began_s:.0f} s", *skipped, sep="\n")
    _keep(args, rows, skipped)
    return 0 if rows and all(row.clean for row in rows) else 1


def _keep(args: argparse.Namespace, rows: list[Row], skipped: list[str]) -> None:
    if args.markdown is not None:
        notes = "\n".join(f"- {text}" for text in skipped)
        args.markdown.write_text(f"{as_markdown(rows)}\n{LEGEND}\n" + (f"\n{notes}\n" if notes else ""))
    if args.json is not None:
        told = {"seed": args.seed, "rows": [row.as_dict() for row in rows], "skipped": skipped}
        args.json.write_text(json.dumps(told, indent=1) + "\n")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="inject faults into the real daemon, and count what was lost"
    )
    parser.add_argument("--short", action="store_true", help="a handful of alerts each, as the tests do")
    parser.add_argument("--only", metavar="TEXT", help="faults whose name holds this")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--folder", type=Path, help="where sites, states and logs go, to be kept")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table and its legend there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
