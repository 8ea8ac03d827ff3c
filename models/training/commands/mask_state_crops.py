"""Cut out the faces that a mask-state classifier learns from, once, so that training reads no pictures.

    ppewatch train classifier-crops RECIPE.yaml --data DATA --out CROPS

makes what ``ppewatch train classifier RECIPE.yaml --crops CROPS`` would make itself: ``located.json`` (the faces that a
RetinaFace finds in pictures without boxes), ``training.npz`` and ``validation.npz``; from the collection also
``face_crops_measured``, the face crops kept to measure by, which ``ppewatch evaluate classifier`` reads. What is there
already is not made again.
"""

import argparse
from pathlib import Path

from models.training.commands.command import Loading, training_command


def _prepare(options: argparse.Namespace, loading: Loading) -> None:
    with loading():
        from models.mask_state.network import LOGITS  # noqa: PLC0415 - loads TensorFlow
        from models.training.mask_state_prepare import prepared_crops  # noqa: PLC0415
        from models.training.mask_state_recipe import read_mask_state_recipe  # noqa: PLC0415
    training, validation = prepared_crops(
        read_mask_state_recipe(options.recipe),
        options.out,
        data=options.data,
        detector_weights=options.detector,
        earlier=options.earlier,
    )
    counts = [int((training.labels == label).sum()) for label in range(LOGITS)]
    print(f"{len(training)} faces to learn from, by state {counts}; {len(validation)} to measure by")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    add_material_arguments(parser)


def add_material_arguments(parser: argparse.ArgumentParser) -> None:
    """What is needed to make crops, here and where the training makes them."""
    parser.add_argument("--detector", type=Path, help="weights of a RetinaFace; else the shipped ones")
    parser.add_argument("--earlier", type=Path, help="weights of an earlier classifier, for the collection")


main = training_command(__doc__, _add_arguments, _prepare, formatter=argparse.RawDescriptionHelpFormatter)
