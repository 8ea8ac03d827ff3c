"""The faces that a mask-state classifier learns from, cut out once, so that training reads no pictures."""

from dataclasses import asdict
from pathlib import Path
from typing import Final

from models.data.writers import write_data_set
from models.errors import DataSetError, TrainingError
from models.training.mask_state_cache import CropCache, build_cache, load_cache, save_cache
from models.training.mask_state_collection import (
    collection_examples,
    measured_examples,
    read_close_ups,
    to_locate,
)
from models.training.mask_state_examples import FaceExample
from models.training.mask_state_located import ToLocate, located_faces
from models.training.mask_state_recipe import MaskStateRecipe
from models.training.mask_state_sets import load_face_set
from models.training.run_state import recipe_text

#: Folder of the face crops that are kept to measure by.
MEASURED_CROPS: Final = "face_crops_measured"

#: What of a recipe decides on the crops.
_DECIDING: Final = (
    "sets",
    "collection",
    "validation",
    "drawn_worn",
    "drawn_wrong",
    "lookalikes",
    "crops",
    "seed",
)


def prepared_crops(
    recipe: MaskStateRecipe,
    crops: Path,
    *,
    data: Path | None,
    detector_weights: Path | None = None,
    earlier: Path | None = None,
) -> tuple[CropCache, CropCache]:
    """What ``recipe`` learns from and is measured on, from the folder ``crops``, where it is made when missing.

    - ``data``: folder of the sets; may be None when nothing is missing.
    - ``detector_weights``: of a RetinaFace, None for the shipped ones. ``earlier``: see ``collection_examples``.

    Raises ``TrainingError`` when ``crops`` belongs to other data, else ``ModelError``.
    """
    training, validation, note = crops / "training.npz", crops / "validation.npz", crops / "recipe.json"
    values = asdict(recipe)
    text = recipe_text({name: values[name] for name in _DECIDING})
    if note.exists() and note.read_text(encoding="utf-8") != text:
        raise TrainingError(f"{crops}: holds the crops of another recipe; choose another folder for these")
    if not (training.exists() and validation.exists() and note.exists()):
        if data is None:
            raise DataSetError(f"{crops}: holds no crops yet; say with --data what to make them from")
        crops.mkdir(parents=True, exist_ok=True)
        examples, measured = gather_examples(
            recipe, data, crops, detector_weights=detector_weights, earlier=earlier
        )
        save_cache(build_cache(measured, title="crops to measure by"), validation)
        save_cache(build_cache(examples, title="crops to learn from"), training)
        note.write_text(text, encoding="utf-8")
    return load_cache(training), load_cache(validation)


def gather_examples(
    recipe: MaskStateRecipe,
    data: Path,
    crops: Path,
    *,
    detector_weights: Path | None,
    earlier: Path | None,
) -> tuple[list[FaceExample], list[FaceExample]]:
    """Everything that ``recipe`` learns from, held-out faces included, and what it is measured on.

    ``crops`` gets the located faces, and of the collection the face crops to measure by, as a data set of links.
    """
    if not recipe.sets and not recipe.collection:
        raise DataSetError("the recipe names nothing to learn from: `sets` or `collection`")
    sets = [load_face_set(face_set, data) for face_set in recipe.sets]
    validation = [load_face_set(face_set, data) for face_set in recipe.validation]
    wanted = {key: ToLocate(file) for one in (*sets, *validation) for key, file in one.to_be_found().items()}
    close_ups = read_close_ups(data) if recipe.collection else None
    if close_ups is not None:
        wanted |= to_locate(data, close_ups)
        if not (crops / MEASURED_CROPS).exists():
            write_data_set(close_ups.measured_crops, crops / MEASURED_CROPS, "coco", placing="link")
    located = located_faces(wanted, crops / "located.json", detector_weights)
    geometry, seed = recipe.crops, recipe.seed
    examples = [example for one in sets for example in one.examples(located, geometry=geometry, seed=seed)]
    measured = [
        example for one in validation for example in one.examples(located, geometry=geometry, seed=seed)
    ]
    if close_ups is not None:
        drawn = (recipe.drawn_worn, recipe.drawn_wrong, recipe.lookalikes)
        examples += collection_examples(
            data, close_ups, located, geometry=geometry, earlier=earlier, drawn=drawn
        )
        measured += measured_examples(data, close_ups, located, geometry=geometry)
    return examples, measured
