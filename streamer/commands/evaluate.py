"""``ppewatch evaluate``: figures of a network on labelled pictures, and of the camera fitness on clips."""

import argparse
from typing import Final

from streamer.commands import ExitCode
from streamer.commands.delegation import run_main_of

HELP = "measure a network on labelled pictures, or the camera fitness on clips"

_EVALUATIONS: Final = {
    "pipeline": "models.evaluation.pipeline",
    "detector": "models.evaluation.face_detector",
    "classifier": "models.evaluation.classifier",
    "crossval": "models.evaluation.crossval",
    "maskrcnn": "models.evaluation.mask_rcnn",
    "fitness": "streamer.fitness_trial.report",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; what follows the name is the evaluation's."""
    parser.add_argument("what", choices=tuple(_EVALUATIONS), help="what to measure")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see `ppewatch evaluate WHAT --help`")


def run(args: argparse.Namespace) -> ExitCode:
    """Measure and print."""
    return run_main_of(_EVALUATIONS[args.what], args.arguments, prog=f"ppewatch evaluate {args.what}")
