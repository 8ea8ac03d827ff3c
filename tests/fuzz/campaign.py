"""The whole campaign: ``make fuzz``, with ``ARGS`` as ``--help`` has them.

Prints what came of each input, and writes it as Markdown and JSON. Every case is told by its target, the seed and its
number: ``--only TARGET --seed N --case K`` has that one taken again, in this process.
"""

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Final

from fuzz.supervision import Result, run_target
from fuzz.targets import TARGETS, target_of
from fuzz.worker import CaseRunner, case_of

_SEED: Final = 1
_HEAD: Final = (
    *(
        "input",
        "cases",
        "seconds",
        "accepted",
        "refused with our error",
        "unexpected errors",
        "crashes",
        "hangs",
    ),
    *("memory growth, MB", "open files", "most memory of one case, MB", "slowest case, s"),
)
_LIBRARIES: Final = ("av", "opencv-python", "h5py", "safetensors", "pyyaml", "uvicorn", "h11", "paho-mqtt")


def main() -> int:
    """0 when every case was taken or refused as it must be."""
    args = _arguments()
    names = args.only or [name for name in TARGETS if name != "faulty"]
    if args.case is not None:
        return _again(names[0], args.seed, args.case)
    # memory in place of a disk, where there is some: every case is a file
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="ppewatch-fuzz-", dir=memory if memory.is_dir() else None))
    # the longest first, so that processes beside each other end together
    names = sorted(names, key=lambda name: name not in ("packets", "containers", "rtsp"))
    began = time.monotonic()

    def run(name: str) -> Result:
        print(f"{name} ...", flush=True)
        try:
            result = run_target(
                name,
                seed=args.seed,
                cases=max(1, round(target_of(name).cases * args.share)),
                folder=folder / name,
                failures=args.failures,
                tell=lambda text: print(text, flush=True),
            )
        except RuntimeError as error:
            # the others' figures are worth having all the same
            print(error, flush=True)
            return Result(target=name, title=target_of(name).title, seed=args.seed, wanted=1)
        print(f"{result.title}: {result.cases} cases in {result.seconds:.0f} s", flush=True)
        return result

    try:
        with ThreadPoolExecutor(args.jobs) as pool:
            results = list(pool.map(run, names))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    order = list(TARGETS)
    results.sort(key=lambda result: order.index(result.target))
    text = report(results, seed=args.seed, seconds=time.monotonic() - began)
    print(text)
    if args.markdown is not None:
        args.markdown.write_text(text, encoding="utf-8")
    if args.json is not None:
        args.json.write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    return 0 if all(result.clean for result in results) else 1


def report(results: list[Result], *, seed: int, seconds: float) -> str:
    """The table, and what was counted beside it, as Markdown."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" + "|---:" * (len(_HEAD) - 1) + "|"]
    for result in results:
        growth = "-" if result.growth_mb is None else f"{result.growth_mb:+.1f}"
        files = "-" if result.growth_files is None else f"{result.growth_files:+d}"
        cells = (
            *(
                result.title,
                result.cases,
                f"{result.seconds:.0f}",
                result.accepted,
                result.refused,
                result.unexpected,
            ),
            *(
                result.crashes,
                result.hangs,
                growth,
                files,
                f"{result.peak_mb:.0f}",
                f"{result.slowest_s:.1f}",
            ),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    total = sum(result.cases for result in results)
    versions = ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)
    lines += [
        "",
        f"{total} cases with seed {seed} in {seconds:.0f} s. Python {platform.python_version()}, {versions}.",
    ]
    lines += ["", "What was counted beside:", ""]
    for result in results:
        facts = {**result.facts, "lines of the log": result.log_lines}
        lines.append(f"- {result.title}: " + ", ".join(f"{number} {name}" for name, number in facts.items()))
        if result.refusals:
            ordered = sorted(result.refusals.items(), key=lambda item: -item[1])
            most = ", ".join(f"{number} {name}" for name, number in ordered)
            lines.append(f"  - refused as: {most}")
    for result in results:
        for failure in result.failures[:20]:
            lines.append(
                f"- **{failure['kind']}** {result.target} case {failure['case']}: {failure['words'][:300]!r}"
            )
    return "\n".join(lines) + "\n"


def _again(name: str, seed: int, number: int) -> int:
    with tempfile.TemporaryDirectory(prefix="ppewatch-fuzz-") as folder:
        path = Path(folder) / name
        path.mkdir()
        target = target_of(name)(path)
        try:
            outcome = CaseRunner(target).run(case_of(target, seed, number))
        finally:
            target.close()
    why = outcome.pop("why") or {}
    print(json.dumps(outcome, indent=1), why.get("words", ""), why.get("traceback", ""), sep="\n")
    return 0 if outcome["outcome"] != "unexpected" else 1


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz.campaign", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seed", type=int, default=_SEED, help="another seed, other cases (1)")
    parser.add_argument("--case", type=int, help="this case of the one target alone, in this process")
    parser.add_argument("--share", type=float, default=1.0, help="part of the cases of a full campaign (1.0)")
    parser.add_argument("--jobs", type=int, default=1, help="targets beside each other (1)")
    parser.add_argument(
        "--failures", type=Path, default=Path("fuzz-failures"), help="where failing inputs are kept"
    )
    parser.add_argument("--markdown", type=Path, help="write the table there")
    parser.add_argument("--json", type=Path, help="write figures and failures there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
