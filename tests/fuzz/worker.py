"""Runs cases of one target in this process, which may crash, and reports each to the file descriptor it was given.

``python -m fuzz.worker TARGET --seed N --first A --last B --folder DIR --report FD``: a line of JSON before each case
and one after it. The case at hand lies in ``DIR/current``.
"""

import argparse
import faulthandler
import gc
import json
import logging
import os
import resource
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz import process_memory as memory
from fuzz.target import (
    MOST_LOG_LINES,
    MOST_NATIVE_BYTES,
    OURS,
    Case,
    LogWatch,
    Target,
    Unexpected,
    check_words,
    described,
)
from fuzz.targets import target_of

#: What a bomb may take of addresses before allocations fail.
_ADDRESS_BYTES: Final = 12 << 30

_SAMPLES: Final = 200


def case_of(target: Target, seed: int, number: int) -> Case:
    """Case ``number`` of the campaign with this seed: always the same."""
    return target.make(Random(f"{seed}/{target.title}/{number}"))


class CaseRunner:
    """Has a target take cases and judges what came of each."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._log = LogWatch(target.expected_tracebacks)
        self._thread_problem: str | None = None
        root = logging.getLogger()
        root.addHandler(self._log)
        root.setLevel(logging.INFO)
        threading.excepthook = self._note_thread
        sys.unraisablehook = self._note_unraisable
        warnings.simplefilter("error")

    def run(self, case: Case) -> dict[str, Any]:
        """``outcome`` (accepted, refused, unexpected), why, seconds, and the peak of memory above what was held."""
        self._log.begin()
        self._thread_problem = None
        native_before = os.fstat(2).st_size
        memory.forget_peak()
        before_mb, began, cpu_began = memory.held_mb(), time.monotonic(), time.process_time()
        outcome, why = self._outcome(case)
        report = {
            "seconds": time.monotonic() - began,
            "cpu_s": time.process_time() - cpu_began,
            "peak_mb": max(0.0, memory.peak_mb() - before_mb),
            "log_lines": self._log.lines,
            "native_bytes": os.fstat(2).st_size - native_before,
        }
        problem = self._thread_problem or self._log.problem or self._excess(report)
        if outcome != "unexpected" and problem is not None:
            outcome, why = "unexpected", {"type": "Unexpected", "words": problem}
        return {"outcome": outcome, "why": why, **report}

    def _outcome(self, case: Case) -> tuple[str, dict[str, Any] | None]:
        try:
            accepted = self._target.run(case)
        except OURS as error:
            try:
                check_words(str(error), where=f"the message of {type(error).__name__}", longest=20_000)
            except Unexpected as unexpected:
                return "unexpected", described(unexpected)
            return "refused", described(error)
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            text = "".join(traceback.format_exception(error))
            return "unexpected", {**described(error), "traceback": text[-6000:]}
        return ("accepted" if accepted else "refused"), None

    def _excess(self, report: dict[str, Any]) -> str | None:
        if report["peak_mb"] > self._target.most_mb:
            return f"took {report['peak_mb']:.0f} MB more than before"
        if report["log_lines"] > MOST_LOG_LINES:
            return f"logged {report['log_lines']} lines"
        if report["native_bytes"] > MOST_NATIVE_BYTES:
            return f"a library wrote {report['native_bytes']} bytes to standard error"
        return None

    def _note_thread(self, args: threading.ExceptHookArgs) -> None:
        self._thread_problem = f"a thread ended with {args.exc_type.__name__}: {args.exc_value}"[:1000]

    def _note_unraisable(self, args: "sys.UnraisableHookArgs") -> None:
        self._thread_problem = f"could not be raised: {args.exc_type.__name__}: {args.exc_value}"[:1000]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    for name in ("seed", "first", "last", "report"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    faulthandler.enable(file=2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    with os.fdopen(args.report, "w", buffering=1) as pipe:
        _work(args, lambda **line: pipe.write(json.dumps(line) + "\n"))


def _work(args: argparse.Namespace, report: Callable[..., Any]) -> None:
    target = target_of(args.target)(args.folder)
    try:
        runner = CaseRunner(target)
        every = max(1, (args.last - args.first) // _SAMPLES)
        # collections look at what cases leave, and not again at what was there before
        gc.collect()
        gc.freeze()
        report(ready=True)
        for number in range(args.first, args.last):
            case = case_of(target, args.seed, number)
            (args.folder / "current").write_bytes(case.data)
            report(start=number, suffix=case.suffix, options=case.options)
            outcome = runner.run(case)
            if outcome["outcome"] == "unexpected":
                (args.folder / f"failed-{number}").write_bytes(case.data)
            report(done=number, **outcome)
            if number % every == 0:
                gc.collect()
                pid = target.watched_pid
                report(sample=number, held_mb=memory.held_mb(pid), files=memory.open_files(pid))
        report(facts=target.facts)
    finally:
        target.close()
    report(ended=True)


if __name__ == "__main__":
    main()
