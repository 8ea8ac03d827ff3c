"""Train a Mask R-CNN: ``ppewatch train maskrcnn RECIPE.yaml --data DATA --init WEIGHTS --out FOLDER``.

Measures the averaged weights on what the sets hold out as it goes and keeps the best. An interrupted run
continues where its folder says it stood.
"""

import argparse
from pathlib import Path

from models.training.commands.command import Loading, training_command


def _train(options: argparse.Namespace, loading: Loading) -> None:
    with loading():
        from models.training.mask_rcnn.recipe import read_recipe  # noqa: PLC0415 - loads TensorFlow
        from models.training.mask_rcnn.trainer import train_mask_rcnn  # noqa: PLC0415
    best = train_mask_rcnn(
        read_recipe(options.recipe),
        options.out,
        data=options.data,
        tables=options.recipe.parent,
        init=options.init,
        pseudo_folder=options.pseudo,
        report=lambda line: print(line, flush=True),
    )
    print(f"best weights: {best}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--pseudo", type=Path, default=Path(), help="folder of the pseudo-labels that the recipe names"
    )
    parser.add_argument("--init", type=Path, help="weights to start from; from nothing without")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )


main = training_command(__doc__, _add_arguments, _train)
