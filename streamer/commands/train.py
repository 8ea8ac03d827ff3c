"""``ppewatch train``: networks from recipes; each has arguments of its own (``ppewatch train retinaface --help``)."""

import argparse
import importlib
from typing import Final

from streamer.commands import ExitCode

HELP = "train a network from a recipe"

_TRAINERS: Final = {
    "retinaface": "models.training.retinaface",
    "classifier": "models.training.mask_state",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what follows the network's name is its trainer's."""
    parser.add_argument("network", choices=tuple(_TRAINERS), help="which network")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see `ppewatch train NETWORK --help`")


def run(args: argparse.Namespace) -> int:
    """Train."""
    return int(importlib.import_module(_TRAINERS[args.network]).main(args.arguments) or ExitCode.DONE)
