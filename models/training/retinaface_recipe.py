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
    - ``sets``: what to learn from. ``validation``: COCO file that chooses the best round, at each of
      ``validation_sides_px``.
    - ``rounds`` of ``steps_per_round`` steps with ``batch_size`` canvases of ``side_px`` pixels.
    - ``learning_rate``: reached after ``warm_up_steps``, then falling to a hundredth. ``weight_decay`` of
      AdamW.
    - ``average_decay``: of the averaged weights. ``workers``: threads that make canvases.
    - ``source``: one line for the weights file.
    """

    init: Path
    sets: tuple[TrainingSet, ...]
    validation: Path
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
    sets = tuple(
        _checked(path, TrainingSet, _resolved(row, data, "coco_file")) for row in content.pop("sets")
    )
    content = _resolved(content, data, "validation")
    recipe: RetinaFaceRecipe = _checked(
        path, RetinaFaceRecipe, content | {"sets": sets, "init": init, "teacher": teacher}
    )
    return recipe


def _resolved(row: Any, data: Path, key: str) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get(key), str):
        raise TrainingError(f"a recipe's part needs {key!r}: {row!r}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return values | {key: data / row[key]}


def _checked(path: Path, kind: Any, values: dict[str, Any]) -> Any:
    unknown = set(values) - {field.name for field in fields(kind)}
    if unknown:
        raise TrainingError(f"{path}: unknown keys {sorted(unknown)}")
    try:
        return kind(**values)
    except TypeError as error:
        raise TrainingError(f"{path}: {error}") from error
