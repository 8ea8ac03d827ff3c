"""Train a mask-state classifier: ``ppewatch train classifier RECIPE.yaml --data DATA --out FOLDER``.

Faces are cut out of their pictures once, then learned in balanced, augmented batches; AdamW with a warm-up and a
cosine; the weights that count are an exponential average of those that learn. The best round is the one that does
best on the held-out faces, clean and degraded alike; the temperatures are fitted there too. An interrupted run
continues where its folder says it stood.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from models.training.commands.command import Loading, training_command
from models.training.commands.mask_state_crops import add_material_arguments
from models.training.part import add_part_argument, part_of_rounds


def _train(options: argparse.Namespace, loading: Loading) -> None:
    with loading():
        from models.training.mask_state import train_mask_state  # noqa: PLC0415 - loads TensorFlow
        from models.training.mask_state_prepare import prepared_crops  # noqa: PLC0415
        from models.training.mask_state_recipe import read_mask_state_recipe  # noqa: PLC0415
    recipe = read_mask_state_recipe(options.recipe)
    recipe = replace(recipe, part=options.part, rounds=part_of_rounds(recipe.rounds, options.part))
    training, validation = prepared_crops(
        recipe,
        options.crops or options.out / "crops",
        data=options.data,
        detector_weights=options.detector,
        earlier=options.earlier,
    )
    best = train_mask_state(
        recipe,
        options.out,
        training=training,
        validation=validation,
        initial=options.init,
        report=lambda line: print(line, flush=True),
    )
    print(f"best weights: {best}")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument(
        "--crops", type=Path, help="folder of the faces cut out, made when missing; else in --out"
    )
    parser.add_argument(
        "--init",
        type=Path,
        help="weights to start from: .safetensors, .h5, .tflite, .pth, or the word imagenet; else random ones",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; an existing one continues"
    )
    add_material_arguments(parser)
    add_part_argument(parser)


main = training_command(__doc__, _add_arguments, _train)
