"""Runs a target's cases in child processes, which may crash or hang: such a case is counted, and the next goes on."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fuzz.targets import target_of

from streamer.bench.trend import trend

ROOT: Final = Path(__file__).parents[2]
#: A worker that fails outside of a case leaves with it.
DEFECT_CODE: Final = 1
_START_LIMIT_S: Final = 600.0
_END_LIMIT_S: Final = 60.0
#: After so many crashes and hangs the rest tells nothing new.
_MOST_DEATHS: Final = 200
#: So many inputs of one target that failed are kept.
_MOST_KEPT: Final = 100


@dataclass(slots=True)
class Result:
    """What came of one target's cases. ``failures``: case, kind and words of each that was not as it must be."""

    target: str
    title: str
    seed: int
    wanted: int
    cases: int = 0
    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    unexpected: int = 0
    crashes: int = 0
    hangs: int = 0
    slowest_s: float = 0.0
    slowest_case: int = -1
    peak_mb: float = 0.0
    peak_case: int = -1
    log_lines: int = 0
    growth_mb: float | None = None
    growth_files: int | None = None
    facts: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every case was taken or refused as it must be."""
        return self.cases == self.wanted and not (self.unexpected or self.crashes or self.hangs)


def run_target(
    name: str,
    *,
    seed: int,
    cases: int,
    folder: Path,
    failures: Path,
    first: int = 0,
    limit_s: float | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> Result:
    """Have target ``name`` take its cases ``first`` to ``first + cases``. ``folder`` is for its own files; inputs that
    failed are copied into ``failures``. ``limit_s`` replaces the target's own for a case.
    """
    kind = target_of(name)
    result = Result(target=name, title=kind.title, seed=seed, wanted=cases)
    folder.mkdir(parents=True, exist_ok=True)
    began, number, last = time.monotonic(), first, first + cases
    samples: list[tuple[int, float, int]] = []
    while number < last and result.crashes + result.hangs < _MOST_DEATHS:
        child = _Child(
            name, seed=seed, first=number, last=last, folder=folder, limit_s=limit_s or kind.limit_s
        )
        here: list[tuple[int, float, int]] = []
        number = _follow(child, result, here, failures, number, tell)
        # growth is that of the process that lived longest
        samples = max(samples, here, key=len)
    result.seconds = time.monotonic() - began
    result.growth_mb, result.growth_files = _growth(samples)
    return result


def _follow(
    child: "_Child",
    result: Result,
    samples: list[tuple[int, float, int]],
    failures: Path,
    number: int,
    tell: Callable[[str], None],
) -> int:
    """Take the reports of one process; returns the case at which the next one begins."""
    suffix, options = ".bin", 0
    for line in child.reports():
        if "start" in line:
            number, suffix, options = line["start"], line["suffix"], line["options"]
        elif "done" in line:
            _count(result, line)
            if line["outcome"] == "unexpected":
                why = line["why"]
                _keep(result, failures, child, number, "unexpected", suffix, options, why)
                tell(f"{result.title}: case {number}: {why['type']}: {why['words'][:300]}")
            number += 1
        elif "sample" in line:
            samples.append((line["sample"], line["held_mb"], line["files"]))
        elif "facts" in line:
            result.facts = {
                name: result.facts.get(name, 0) + number for name, number in line["facts"].items()
            }
    if child.end is None:
        return number
    if child.end in ("never began", "defect"):
        raise RuntimeError(f"{result.title}: a defect of the campaign itself:\n{child.said()}")
    if child.end == "crash":
        result.crashes += 1
    else:
        result.hangs += 1
    result.cases += 1
    words = {"type": child.end, "words": child.how, "traceback": child.said()}
    _keep(result, failures, child, number, child.end, suffix, options, words)
    tell(f"{result.title}: case {number}: {child.end}: {child.how}")
    return number + 1


def _count(result: Result, line: dict[str, Any]) -> None:
    result.cases += 1
    setattr(result, line["outcome"], getattr(result, line["outcome"]) + 1)
    if line["outcome"] == "refused" and line["why"]:
        kind = line["why"]["type"]
        result.refusals[kind] = result.refusals.get(kind, 0) + 1
    result.log_lines += line["log_lines"]
    if line["seconds"] > result.slowest_s:
        result.slowest_s, result.slowest_case = line["seconds"], line["done"]
    if line["peak_mb"] > result.peak_mb:
        result.peak_mb, result.peak_case = line["peak_mb"], line["done"]


def _keep(
    result: Result,
    failures: Path,
    child: "_Child",
    number: int,
    kind: str,
    suffix: str,
    options: int,
    why: dict[str, Any],
) -> None:
    result.failures.append({"case": number, "kind": kind, "type": why["type"], "words": why["words"]})
    if len(result.failures) > _MOST_KEPT:
        return
    failures.mkdir(parents=True, exist_ok=True)
    stem = f"{result.target}-{result.seed}-{number}"
    # a process that lives on has put it aside
    for place in (child.folder / f"failed-{number}", child.folder / "current"):
        if place.exists():
            shutil.copyfile(place, failures / f"{stem}{suffix}")
            break
    text = f"{kind}, options {options}: {why['type']}: {why['words']}\n\n{why.get('traceback', '')}\n"
    (failures / f"{stem}.txt").write_text(text, encoding="utf-8", errors="replace")


def _growth(samples: list[tuple[int, float, int]]) -> tuple[float | None, int | None]:
    """What the second half of the cases added, by the line of least squares; and files left open over all."""
    later = samples[len(samples) // 2 :]
    if len(later) < 8:
        return None, None
    numbers = [float(number) for number, _, _ in later]
    slope = trend(numbers, [held for _, held, _ in later]).slope
    return slope * (numbers[-1] - numbers[0]), samples[-1][2] - samples[len(samples) // 10][2]


class _Child:
    """One worker process.

    ``end`` says how it ended: None as it should, else ``crash``, ``hang``, ``never began`` or ``defect``.
    """

    def __init__(self, name: str, *, seed: int, first: int, last: int, folder: Path, limit_s: float) -> None:
        self.folder = folder
        self.end: str | None = None
        self.how = ""
        self._limit_s = limit_s
        self._said = folder / "stderr"
        self._receiver, sender = os.pipe()
        command = [
            sys.executable,
            "-m",
            "fuzz.worker",
            name,
            "--folder",
            str(folder),
            "--report",
            str(sender),
        ]
        command += ["--seed", str(seed), "--first", str(first), "--last", str(last)]
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(sender,),
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        os.close(sender)

    def reports(self) -> Any:
        """What it reports until its end; then ``end`` is known."""
        unread, started, ended = b"", False, False
        limit_s = _START_LIMIT_S
        try:
            while True:
                ready, _, _ = select.select([self._receiver], [], [], limit_s)
                if not ready:
                    self._hung(started)
                    return
                data = os.read(self._receiver, 1 << 16)
                if not data:
                    break
                *lines, unread = (unread + data).split(b"\n")
                for text in lines:
                    line = json.loads(text)
                    started, ended = started or "ready" in line, ended or "ended" in line
                    limit_s = _END_LIMIT_S if "facts" in line else self._limit_s
                    yield line
            code = self._process.wait(_END_LIMIT_S)
        finally:
            os.close(self._receiver)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        if not started:
            self.end = "never began"
        elif code == DEFECT_CODE:
            self.end = "defect"
        elif not ended:
            self.end, self.how = "crash", _exit_words(code)

    def said(self) -> str:
        """The end of what it wrote to standard error."""
        return self._said.read_bytes()[-8000:].decode(errors="replace")

    def _hung(self, started: bool) -> None:
        """Ask for the stacks of its threads, and end it."""
        self.end = "hang" if started else "never began"
        self.how = f"nothing came of it for {self._limit_s:g} s"
        self._process.send_signal(signal.SIGABRT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _exit_words(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
