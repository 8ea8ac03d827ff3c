"""What a training run of Mask R-CNN does, as a YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import yaml

from models.errors import TrainingError
from models.mask_rcnn.config import MaskRcnnConfig
from models.training.mask_rcnn.lesson import Lesson
from models.training.mask_rcnn.pseudo_labels import PseudoLabelRule
from models.training.mask_rcnn.roi_targets import RoiSampling
from models.training.mask_rcnn.sets import CanvasSet

_NESTED: Final[Mapping[str, Any]] = {"network": MaskRcnnConfig, "sampling": RoiSampling}
_LISTED: Final[Mapping[str, Any]] = {
    "sets": CanvasSet,
    "lessons": Lesson,
    "pseudo_labels": PseudoLabelRule,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRcnnRecipe:
    """A training run; the YAML file has the same keys, those of ``network`` and of each lesson nested.

    - ``source``: one line for the weights file: what they are.
    - ``network``: what is trained. ``sets``: from what. ``labels``: the table of the sources' words, a file
      beside the recipe.
    - ``pseudo_labels``, ``faces_seen``: what earlier detectors saw where the sources are silent, and on which
      faces a face mask can be drawn; files of ``pseudo_labels`` and ``faces_seen``. ``gear``: put hats on bare
      heads, in the part ``hat_chance`` of the tiles with some, and face masks on bare faces.
    - ``lessons``: one after the other.
    - ``steps_per_round``: between two measurements of the averaged weights on what the sets hold out, at
      ``validation_side_px``, on at most ``validation_pictures``.
    - ``batch_size``, ``side_px``: canvases of a step, and their side, a multiple of 64.
    - ``proposals``, ``sampling``: boxes of a canvas that the region proposals hand on, and those the heads
      learn from.
    - ``average_decay``: of the exponential average of the weights.
    - ``half_precision``: compute in bfloat16; weights stay float32.
    """

    source: str
    network: MaskRcnnConfig
    sets: tuple[CanvasSet, ...]
    labels: str
    lessons: tuple[Lesson, ...]
    pseudo_labels: tuple[PseudoLabelRule, ...] = ()
    faces_seen: tuple[str, ...] = ()
    gear: bool = False
    hat_chance: float = 0.3
    steps_per_round: int = 500
    validation_side_px: int = 640
    validation_pictures: int = 200
    batch_size: int = 8
    side_px: int = 448
    proposals: int = 200
    sampling: RoiSampling = field(default_factory=RoiSampling)
    average_decay: float = 0.998
    half_precision: bool = False
    workers: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.sets or not self.lessons:
            raise TrainingError("a recipe needs at least one set and one lesson")
        if self.side_px % 64:
            raise TrainingError(f"side_px must be a multiple of 64, not {self.side_px}")
        for name in ("steps_per_round", "batch_size", "side_px", "proposals", "workers"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1")


def read_recipe(path: Path) -> MaskRcnnRecipe:
    """Read a recipe. Raises ``TrainingError`` when the file is missing, no YAML, or has unknown, missing or
    impossible values."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path}: is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: needs keys and values")
    values = dict(content)
    for name, kind in _NESTED.items():
        if name in values:
            values[name] = _built(path, name, kind, values[name])
    for name, kind in _LISTED.items():
        rows = values.get(name, [])
        if not isinstance(rows, list):
            raise TrainingError(f"{path}: {name}: needs a list")
        values[name] = tuple(_built(path, name, kind, row) for row in rows)
    recipe: MaskRcnnRecipe = _built(path, "the recipe", MaskRcnnRecipe, values)
    return recipe


def _built(path: Path, name: str, kind: Any, values: Any) -> Any:
    if not isinstance(values, Mapping):
        raise TrainingError(f"{path}: {name}: needs keys and values, not {values!r}")
    unknown = set(values) - {known.name for known in fields(kind)}
    if unknown:
        raise TrainingError(f"{path}: {name}: unknown keys {sorted(unknown)}")
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{path}: {name}: {error}") from error
