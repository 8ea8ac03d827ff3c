"""Whether a ratio moved: what this run measured beside what was stored, each with its spread.

Ratios alone are kept, for times are the machine's. A figure whose name begins with ``ratio`` is one; it carries its
median, least, most and number of runs. Stored are the last few calls, so the range covers what changes from run to run
and from call to call.
"""

import json
import os
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from streamer.errors import StreamerError

#: Where more is better; of all others less.
_MORE_IS_BETTER: Final = frozenset({"throughput.ratio_looks", "cluster.ratio_looks"})
#: A ratio that moved by less is as good as it was.
_LEAST_MOVE: Final = 0.02
_CALLS_KEPT: Final = 5


class RatiosFileError(StreamerError):
    """A file of stored ratios cannot be used; the message says why."""


class Verdict(StrEnum):
    """How a ratio stands to the stored one."""

    WITHIN = "within its spread"
    BETTER = "better"
    WORSE = "WORSE"
    NEW = "new: nothing is stored"
    MISSING = "missing: not measured this time"


@dataclass(frozen=True, slots=True)
class Measured:
    """Median, least and most of ``runs`` of one ratio."""

    median: float
    least: float
    most: float
    runs: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One ratio, then and now."""

    name: str
    verdict: Verdict
    stored: Measured | None
    now: Measured | None


def ratios_in(what: str, figures: Mapping[str, Any]) -> dict[str, Measured]:
    """The ratios among the figures of the bench ``what``, as ``what.name``."""
    return {
        f"{what}.{name}": Measured(**value)
        for name, value in figures.items()
        if name.startswith("ratio") and isinstance(value, Mapping)
    }


def compare(stored: Mapping[str, Measured], now: Mapping[str, Measured]) -> list[Comparison]:
    """Every ratio of both, by name.

    One has moved when neither median lies within the other's range, and by more than two hundredths of what it was.
    """
    return [
        Comparison(name, _verdict(name, stored.get(name), now.get(name)), stored.get(name), now.get(name))
        for name in sorted(stored.keys() | now.keys())
    ]


def _verdict(name: str, stored: Measured | None, now: Measured | None) -> Verdict:
    if stored is None:
        return Verdict.NEW
    if now is None:
        return Verdict.MISSING
    covered = (
        stored.least <= now.median <= stored.most
        or now.least <= stored.median <= now.most
        or abs(now.median - stored.median) < _LEAST_MOVE * stored.median
    )
    if covered:
        return Verdict.WITHIN
    return Verdict.BETTER if (now.median > stored.median) == (name in _MORE_IS_BETTER) else Verdict.WORSE


def read_ratios(path: Path) -> tuple[str, dict[str, Measured]]:
    """The machine in words and each ratio over all stored calls. Raises ``RatiosFileError``."""
    machine, calls = _read(path)
    return machine, {name: _over(many) for name, many in calls.items()}


def store_ratios(path: Path, now: Mapping[str, Measured]) -> None:
    """Add a call to ``path``; calls on another machine, and all but the last few, are forgotten.

    Raises ``RatiosFileError`` when there is a file that is none of ours.
    """
    machine, calls = _read(path) if path.exists() else (this_machine(), {})
    if machine != this_machine():
        calls = {}
    for name, one in now.items():
        calls[name] = [*calls.get(name, []), one][-_CALLS_KEPT:]
    content = {
        "machine": this_machine(),
        "ratios": {
            name: {
                "better": "more" if name in _MORE_IS_BETTER else "less",
                **_as_dict(_over(many)),
                "calls": [_as_dict(one) for one in many],
            }
            for name, many in sorted(calls.items())
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def this_machine() -> str:
    """The processor and how many cores this process may use, in words."""
    cores = len(os.sched_getaffinity(0))
    return f"{processor_name()}, {cores} {'core' if cores == 1 else 'cores'}"


def as_table(comparisons: Iterable[Comparison]) -> str:
    """For people: one line for each ratio."""
    lines = [f"{'ratio':<40} {'stored':>22} {'now':>22}"]
    lines += [
        f"{one.name:<40} {_range(one.stored):>22} {_range(one.now):>22}  {one.verdict}" for one in comparisons
    ]
    return "\n".join(lines)


def _range(one: Measured | None) -> str:
    return "-" if one is None else f"{one.median:.3g} ({one.least:.3g}-{one.most:.3g})"


def _over(calls: list[Measured]) -> Measured:
    """The median of the calls' medians, and the range of all their runs."""
    return Measured(
        statistics.median(one.median for one in calls),
        min(one.least for one in calls),
        max(one.most for one in calls),
        sum(one.runs for one in calls),
    )


def _as_dict(one: Measured) -> dict[str, float]:
    return {"median": round(one.median, 4), "least": one.least, "most": one.most, "runs": one.runs}


def _read(path: Path) -> tuple[str, dict[str, list[Measured]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        calls = {
            str(name): [Measured(**call) for call in stored["calls"]]
            for name, stored in content["ratios"].items()
        }
        machine = str(content["machine"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RatiosFileError(f"{path}: no stored ratios: {error}") from error
    if not all(calls.values()):
        raise RatiosFileError(f"{path}: a ratio without a call")
    return machine, calls


def processor_name() -> str:
    """The model of the processor, in its maker's words."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return "unknown processor"
