"""Options that several commands share, and the types of their values."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tqdm import tqdm


#: Days and times of options lie within these years: what is reckoned from them must be in the calendar too.
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9998

#: As a camera's tiles.grid in SITE.yaml.
MOST_TILES: Final = 16

#: How a password may be given.
PASSWORD_HELP: Final = "${NAME} or file:/path; the password itself would stay in the shell's history"  # noqa: S105


def number(
    *, above: float | None = None, least: float | None = None, most: float | None = None
) -> Callable[[str], float]:
    """A type for ``add_argument``: a finite number within bounds."""
    bounds = [
        f"{words} {bound:g}"
        for words, bound in (("above", above), ("at least", least), ("at most", most))
        if bound is not None
    ]

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        inside = (
            math.isfinite(value)
            and (above is None or value > above)
            and (least is None or value >= least)
            and (most is None or value <= most)
        )
        if not inside:
            raise argparse.ArgumentTypeError(f"{text!r} should be a number {', '.join(bounds)}".rstrip())
        return value

    return convert


def whole_number(*, least: int, most: int, multiple_of: int = 1) -> Callable[[str], int]:
    """A type for ``add_argument``: a whole number within bounds."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most or value % multiple_of:
            step = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
            raise argparse.ArgumentTypeError(
                f"{text!r} should be a whole number from {least} to {most}{step}"
            )
        return value

    return convert


def moment(text: str) -> float:
    """A type for ``add_argument``: an ISO 8601 time as UTC epoch s, in this machine's time zone where it names none."""
    try:
        named = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time") from error
    if not FIRST_YEAR <= named.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text!r} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return named.timestamp()


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """``--device``, ``--input-size``, ``--tiles`` and ``--weights``."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="where the networks run (default auto)",
    )
    parser.add_argument(
        "--input-size",
        # as a camera's input_size in SITE.yaml
        type=whole_number(least=128, most=7680, multiple_of=32),
        metavar="PX",
        help="longest side at which the network looks (default: by the picture's size)",
    )
    parser.add_argument(
        "--tiles",
        type=grid,
        metavar="COLUMNSxROWS",
        help="look at so many tiles of the picture too, for small far heads: 2x2",
    )
    add_weights_argument(parser)


def grid(text: str) -> tuple[int, int]:
    """A type for ``add_argument``: columns and rows of tiles, as a camera's ``tiles.grid`` in SITE.yaml."""
    columns, _, rows = text.lower().partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) * int(rows) <= MOST_TILES):
        raise argparse.ArgumentTypeError(
            f"{text!r} should be columns and rows, such as 2x2, of at most {MOST_TILES} tiles"
        )
    return int(columns), int(rows)


def add_weights_argument(parser: argparse.ArgumentParser) -> None:
    """``--weights``, for ``weights_given``."""
    parser.add_argument(
        "--weights",
        type=named_file,
        action="append",
        default=[],
        metavar="NETWORK=FILE",
        help="other weights than those that are installed, for example retinaface=my.safetensors",
    )


def named_file(text: str) -> tuple[str, Path]:
    """A type for ``add_argument``: NETWORK=FILE."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} should be NETWORK=FILE")
    return name, Path(path)


def weights_given(pairs: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """The files of ``--weights`` by network; the last one of a network counts."""
    return dict(pairs)


def progress_bar(
    *, unit: str, total: float | None = None, hidden: bool = False, **settings: Any
) -> "tqdm[Any]":
    """A bar on standard error while that is a terminal; nothing of it stays."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=unit,
        disable=hidden or not sys.stderr.isatty(),
        leave=False,
        file=sys.stderr,
        **settings,
    )
