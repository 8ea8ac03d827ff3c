"""The state of an interrupted training run: numbers and no code, like every weights file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from models.errors import TrainingError


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    - ``tensors``: everything by name: ``network/...``, ``average/...``, ``optimizer/<number>``.
    - ``step``: steps done. ``best``: the best figure so far. ``recipe``: of the run, to notice a change.
    """

    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)
    step: int = 0
    best: float = 0.0
    recipe: str = ""

    def part(self, name: str) -> dict[str, NDArray[Any]]:
        """The tensors below ``<name>/``, without it."""
        prefix = f"{name}/"
        return {
            key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)
        }


def save_state(path: Path, state: RunState) -> None:
    """Write a run's state, whole or not at all. Raises ``TrainingError`` when that fails."""
    metadata = {"step": str(state.step), "best": repr(state.best), "recipe": state.recipe}
    temporary = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: np.asarray(value, order="C") for name, value in state.tensors.items()}
        safetensors.numpy.save_file(tensors, temporary, metadata=metadata)
        temporary.replace(path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written: {error.strerror}") from error


def load_state(path: Path, *, recipe: str) -> RunState | None:
    """A run's state, or None when there is none yet.

    Raises ``TrainingError`` when the file is damaged or belongs to another ``recipe``.
    """
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        state = RunState(tensors, int(metadata["step"]), float(metadata["best"]), metadata["recipe"])
    except (OSError, safetensors.SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: is no state of a training run: {error}") from error
    if state.recipe != recipe:
        raise TrainingError(f"{path}: belongs to a run of another recipe; choose another folder for this one")
    return state


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """A recipe as one comparable line."""
    return json.dumps(recipe, sort_keys=True, default=str)
