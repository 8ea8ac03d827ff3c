"""How measurements are summed up and printed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds, and how many there are."""
    values = np.asarray(seconds, np.float64) * 1000
    p50, p95, p99 = (float(np.percentile(values, q)) for q in (50, 95, 99))
    return {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "p99_ms": round(p99, 1), "count": len(values)}


def spread(values: Sequence[float], *, digits: int) -> dict[str, float]:
    """Median, least and most of repeated measurements, and how many there are."""
    return {
        "median": round(float(np.median(values)), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
        "runs": len(values),
    }


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB (1e6 bytes).

    From its ``status``: what ``getrusage`` tells begins with the size of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return round(kib * 1024 / 1e6, 1)


def as_lines(title: str, figures: Mapping[str, Any]) -> str:
    """For people: one indented line for each figure."""
    lines = [title]
    for name, value in figures.items():
        shown = (
            ", ".join(f"{inner} {number}" for inner, number in value.items())
            if isinstance(value, Mapping)
            else str(value)
        )
        lines.append(f"  {name.replace('_', ' '):<34} {shown}")
    return "\n".join(lines)
