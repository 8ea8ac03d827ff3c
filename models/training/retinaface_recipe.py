"""How a RetinaFace is trained, as a YAML file that anyone can run again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import yaml

from models.errors import TrainingError
from models.retinaface.config import PYRAMID_CHANNELS, Backbone
from models.training.part import checked_part
from models.training.retinaface_loss import LossSettings
from models.training.retinaface_sets import TrainingSet
from models.training.retinaface_targets import Matching

_NESTED: Final[Mapping[str, Any]] = {"loss": LossSettings, "matching": Matching}


@dataclass(frozen=True, slots=True)
class RetinaFaceRecipe:
    """A training run.

    - ``init``: weights to start from, of a RetinaFace or of a backbone; None: from random ones. ``teacher``:
      weights that complete the labels; None: the labels are all there is.
    - ``backbone``: None: that of the initial weights. ``learn_batch_norms``: estimate the statistics of batch
      norms too, which a start from random weights needs; else those of the initial weights stay.
    - ``matching``, ``loss``: see ``Matching`` and ``LossSettings``.
    - ``sets``: what to learn from; what they hold out chooses the best round, at ``validation_sides_px``.
    - ``rounds`` of ``steps_per_round`` steps with ``batch_size`` canvases of ``side_px`` pixels.
    - ``learning_rate``: reached after ``warm_up_steps``, then falling to a hundredth. ``weight_decay`` of
      AdamW.
    - ``average_decay``: of the averaged weights. ``workers``: threads that make canvases.
    - ``part``: of the pictures, so much is learned from; all of what is held out is measured on.
    - ``source``: one line for the weights file.
    """

    sets: tuple[TrainingSet, ...]
    source: str
    init: Path | None = None
    teacher: Path | None = None
    backbone: Backbone | None = None
    learn_batch_norms: bool = False
    matching: Matching = field(default_factory=Matching)
    loss: LossSettings = field(default_factory=LossSettings)
    validation_sides_px: tuple[int, ...] = (640, 1280)
    rounds: int = 20
    steps_per_round: int = 400
    batch_size: int = 8
    side_px: int = 512
    learning_rate: float = 5e-4
    weight_decay: float = 1e-3
    warm_up_steps: int = 200
    average_decay: float = 0.998
    workers: int = 2
    seed: int = 1
    part: float = 1.0

    def __post_init__(self) -> None:
        checked_part(self.part)
        if not self.sets:
            raise TrainingError("a recipe needs at least one set")
        if self.side_px % 64:
            raise TrainingError(
                f"side_px must be a multiple of 64 (four tiles, stride 32), not {self.side_px}"
            )
        if self.init is None and self.backbone is None:
            raise TrainingError("a run without initial weights needs a backbone")
        if self.backbone is not None and self.backbone not in PYRAMID_CHANNELS:
            raise TrainingError(f"backbone: {', '.join(PYRAMID_CHANNELS)}, not {self.backbone!r}")
        for name in ("rounds", "steps_per_round", "batch_size", "side_px", "workers"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1")


def read_recipe(
    path: Path, *, data: Path, init: Path | None = None, teacher: Path | None = None
) -> RetinaFaceRecipe:
    """Read a recipe; its paths are relative to the folder ``data``.

    Raises ``TrainingError`` when the file is missing, no YAML, or has unknown, missing or impossible values.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path}: is no YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("sets"), list):
        raise TrainingError(f"{path}: needs a list of sets")
    sets = tuple(_training_set(path, row, data) for row in content.pop("sets"))
    for name, kind in _NESTED.items():
        if name in content:
            if not isinstance(content[name], dict):
                raise TrainingError(f"{path}: {name}: needs keys and values, not {content[name]!r}")
            content[name] = _checked(path, kind, content[name])
    given = _with_tuples(content) | {"sets": sets, "init": init, "teacher": teacher}
    recipe: RetinaFaceRecipe = _checked(path, RetinaFaceRecipe, given)
    return recipe


def _training_set(path: Path, row: Any, data: Path) -> TrainingSet:
    if not isinstance(row, dict) or not isinstance(row.get("coco_file"), str):
        raise TrainingError(f"{path}: a set needs its coco_file: {row!r}")
    values = _with_tuples(row) | {"coco_file": data / row["coco_file"]}
    training_set: TrainingSet = _checked(path, TrainingSet, values)
    return training_set


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _checked(path: Path, kind: Any, values: dict[str, Any]) -> Any:
    unknown = set(values) - {field.name for field in fields(kind)}
    if unknown:
        raise TrainingError(f"{path}: unknown keys {sorted(unknown)}")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{path}: {error}") from error
