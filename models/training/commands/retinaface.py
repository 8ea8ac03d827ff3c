"""Train a RetinaFace: ``ppewatch train retinaface RECIPE.yaml --data DATA --out FOLDER``.

Starts from ``--init``: weights of another one, of an ImageNet backbone, or none. A ``--teacher``, if there is
one, completes the labels. Measures the averaged weights on held-out pictures as it goes and keeps the best. An
interrupted run continues where its folder says it stood.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from models.training.commands.command import Loading, training_command
from models.training.part import add_part_argument, part_of_rounds


def _train(options: argparse.Namespace, loading: Loading) -> None:
    with loading():
        from models.training.retinaface import train_retinaface  # noqa: PLC0415 - loads TensorFlow
        from models.training.retinaface_recipe import read_recipe  # noqa: PLC0415
    recipe = read_recipe(options.recipe, data=options.data, init=options.init, teacher=options.teacher)
    recipe = replace(recipe, part=options.part, rounds=part_of_rounds(recipe.rounds, options.part))
    best = train_retinaface(recipe, options.out, report=lambda line: print(line, flush=True))
    print(f"best weights: {best}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--init", type=Path, help="weights to start from, as a weights file; random if none")
    parser.add_argument("--teacher", type=Path, help="weights of a RetinaFace that completes the labels")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )
    add_part_argument(parser)


main = training_command(__doc__, _add_arguments, _train)
