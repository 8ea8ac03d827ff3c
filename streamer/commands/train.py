"""``ppewatch train``: networks from recipes; each has arguments of its own (``ppewatch train retinaface --help``)."""

import argparse
from typing import Final

from streamer.commands import ExitCode
from streamer.commands.delegation import run_main_of

HELP = "train a network from a recipe"

_TRAINERS: Final = {
    "retinaface": "models.training.commands.retinaface",
    "classifier-crops": "models.training.commands.mask_state_crops",
    "classifier": "models.training.commands.mask_state",
    "maskrcnn": "models.training.commands.mask_rcnn",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what follows the network's name is its trainer's."""
    parser.add_argument(
        "network",
        choices=tuple(_TRAINERS),
        help="which network; classifier-crops only cuts out the faces that the classifier learns from",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see `ppewatch train NETWORK --help`")


def run(args: argparse.Namespace) -> ExitCode:
    """Train."""
    return run_main_of(_TRAINERS[args.network], args.arguments, prog=f"ppewatch train {args.network}")
