"""``ppewatch evaluate``: figures of a network on labelled pictures."""

import argparse
import importlib
from typing import Final

from streamer.commands import ExitCode

HELP = "measure a network on labelled pictures"

_EVALUATIONS: Final = {
    "detector": "models.evaluation.faces",
    "classifier": "models.evaluation.mask_state",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what follows the name is the evaluation's."""
    parser.add_argument("what", choices=tuple(_EVALUATIONS), help="what to measure")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see `ppewatch evaluate WHAT --help`")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    return int(importlib.import_module(_EVALUATIONS[args.what]).main(args.arguments) or ExitCode.DONE)
