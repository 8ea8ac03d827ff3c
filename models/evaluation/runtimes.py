"""The runtimes in which a network is measured."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.runtime.choice import Runtime
from models.runtime.precision import PRECISIONS
from models.runtime.session import SessionOptions

_KERAS: Final = "keras"
_OPENVINO: Final = "openvino-"


@dataclass(frozen=True, slots=True)
class RunsIn:
    """What runs a network; ``options`` are None for Keras."""

    runtime: Runtime
    options: SessionOptions | None

    def named(self, name: str) -> str:
        """What a network called ``name`` is called when it runs in this; in Keras it keeps its name."""
        return name if self.options is None else f"{name} {self.options.precision}"


def add_runtime_option(parser: argparse.ArgumentParser) -> None:
    """``runtime``: some ``RunsIn``."""
    parser.add_argument(
        "--runtime",
        type=_runs_in,
        nargs="+",
        default=[RunsIn("keras", None)],
        metavar="RUNTIME",
        help=f"what runs the network, one table each: {', '.join(_names())} (default: {_KERAS}, to which the figures "
        "of the cards belong)",
    )


def _names() -> Sequence[str]:
    return [_KERAS, *(f"{_OPENVINO}{precision}" for precision in PRECISIONS)]


def _runs_in(text: str) -> RunsIn:
    if text == _KERAS:
        return RunsIn("keras", None)
    for precision in PRECISIONS:
        if text == f"{_OPENVINO}{precision}":
            return RunsIn("openvino", SessionOptions(precision))
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(_names())}")
