"""Train a Mask R-CNN: ``ppewatch train maskrcnn RECIPE.yaml --data DATA --init WEIGHTS --out FOLDER``.

Measures the averaged weights on what the sets hold out as it goes and keeps the best. An interrupted run
continues where its folder says it stood.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from models.evaluation.command import exit_status_of


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str,
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Train as a recipe says; returns the exit code. TensorFlow is loaded inside of ``loading``."""
    options = _parser(prog).parse_args(arguments)
    return exit_status_of(lambda: _train(options, loading))


def _train(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
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


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--pseudo", type=Path, default=Path(), help="folder of the pseudo-labels that the recipe names"
    )
    parser.add_argument("--init", type=Path, help="weights to start from; from nothing without")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )
    return parser
