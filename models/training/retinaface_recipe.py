"""How a RetinaFace is trained, as a YAML file that anyone can run again."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from models.errors import TrainingError
from models.training.retinaface_sets import TrainingSet


@dataclass(frozen=True, slots=True)
class RetinaFaceRecipe:
    """A training run.

    - ``init``: weights to start from. ``teacher``: weights that complete the labels; the initial ones when
      None.
    - ``sets``: what to learn from; what they hold out chooses the best round, at ``validation_sides_px``.
    - ``rounds`` of ``steps_per_round`` steps with ``batch_size`` canvases of ``side_px`` pixels.
    - ``learning_rate``: reached after ``warm_up_steps``, then falling to a hundredth. ``weight_decay`` of
      AdamW.
    - ``average_decay``: of the averaged weights. ``workers``: threads that make canvases.
    - ``source``: one line for the weights file.
    """

    init: Path
    sets: tuple[TrainingSet, ...]
    source: str
    teacher: Path | None = None
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

    def __post_init__(self) -> None:
        if not self.sets:
            raise TrainingError("a recipe needs at least one set")
        if self.side_px % 64:
            raise TrainingError(
                f"side_px must be a multiple of 64 (four tiles, stride 32), not {self.side_px}"
            )
        for name in ("rounds", "steps_per_round", "batch_size", "side_px", "workers"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1")


def read_recipe(path: Path, *, data: Path, init: Path, teacher: Path | None = None) -> RetinaFaceRecipe:
    """Read a recipe; its paths are relative to the folder ``data``.

    Raises ``TrainingError`` when the file is missing, no YAML, or has unknown or missing keys.
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
    except TypeError as error:
        raise TrainingError(f"{path}: {error}") from error
