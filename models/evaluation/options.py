"""Command-line options that the evaluations of faces share."""

import argparse
from pathlib import Path

from models.letterbox import INPUT_MULTIPLE


def add_set_options(parser: argparse.ArgumentParser) -> None:
    """What is looked at, and how: ``data_sets``, ``input_size``, ``least_height``, ``min_score``."""
    parser.add_argument("data_sets", type=Path, nargs="+", metavar="DATA_SET", help="labelled pictures")
    parser.add_argument(
        "--input-size",
        "--longest-side",
        type=input_size,
        nargs="+",
        default=[None],
        metavar="PX",
        help="longest side that the network sees pictures at (multiples of 32), one table each; else by the "
        "picture's size, as the daemon looks",
    )
    parser.add_argument(
        "--least-height",
        type=float,
        default=0.0,
        metavar="PX",
        help="labelled faces below this height in the picture are neither hit nor miss",
    )
    parser.add_argument(
        "--min-score",
        type=share,
        default=0.5,
        metavar="SCORE",
        help="least score of a found face, except for average precision (default: 0.5)",
    )


def add_peers_option(parser: argparse.ArgumentParser) -> None:
    """``peers``."""
    parser.add_argument(
        "--peers", type=Path, metavar="FOLDER", help="measure the published detectors in this folder too"
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """``bootstrap``, ``seed``, ``out``, ``json``, ``device``."""
    parser.add_argument(
        "--bootstrap",
        type=int,
        default=1000,
        metavar="SAMPLES",
        help="samples for the 95 %% confidence intervals (default: 1000)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of these samples")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write a page with plots and pictures there"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")


def input_size(text: str) -> int:
    """A multiple of 32. Raises ``ArgumentTypeError``."""
    size = int(text)
    if size <= 0 or size % INPUT_MULTIPLE:
        raise argparse.ArgumentTypeError(f"must be a multiple of {INPUT_MULTIPLE}")
    return size


def share(text: str) -> float:
    """0 to 1. Raises ``ArgumentTypeError``."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must lie in 0 to 1")
    return value
