"""Plots as PNG files: lines and shaded tables. matplotlib is loaded when one is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

_SIZE_INCHES: Final = (5.6, 4.2)
_DPI: Final = 110

#: Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a plot: ``x`` and ``y`` (points,), ``colour`` a place in ``COLOURS`` (they repeat)."""

    x: NDArray[np.floating] | Sequence[float]
    y: NDArray[np.floating] | Sequence[float]
    label: str
    colour: int = 0
    dashed: bool = False
    dots: bool = False


def plot_lines(
    lines: Sequence[Line],
    path: Path,
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = (0, 1.02),
) -> None:
    """Draw ``lines`` into ``path``. Raises ``ModelError`` when matplotlib is not installed (extra ``evaluate``)."""
    figure, axes = _figure()
    for line in lines:
        axes.plot(
            line.x,
            line.y,
            color=COLOURS[line.colour % len(COLOURS)],
            linestyle="--" if line.dashed else "-",
            marker="." if line.dots else "",
            label=line.label,
        )
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    if x_range is not None:
        axes.set_xlim(*x_range)
    if y_range is not None:
        axes.set_ylim(*y_range)
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend(loc="best", fontsize="small", framealpha=0.85)
    figure.savefig(path, dpi=_DPI)


def plot_counts(
    counts: NDArray[Any],
    path: Path,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    x_label: str,
    y_label: str,
) -> None:
    """Draw a table of counts, shaded by their share of the row, into ``path``; raises as ``plot_lines``."""
    figure, axes = _figure()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        axes.text(
            column,
            row,
            f"{counts[row, column]:.0f}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.6 else "black",
        )
    axes.set_xticks(range(len(columns)), list(columns), rotation=25, ha="right")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    figure.savefig(path, dpi=_DPI)


def _figure() -> tuple[Any, Any]:
    try:
        # the object interface: no window system, nothing global
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra that only plots need
    except ImportError as error:
        raise ModelError("plots need matplotlib: install the extra `evaluate`") from error
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    return figure, figure.subplots()
