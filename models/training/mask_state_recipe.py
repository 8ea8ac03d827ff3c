"""How the mask-state classifier is trained, as a YAML file that anyone can run again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from models.errors import TrainingError
from models.mask_state.crops import CropGeometry
from models.mask_state.network import LOGITS, MaskStateConfig
from models.training.mask_state_augmentation import AugmentationConfig
from models.training.mask_state_sets import FaceSet
from models.training.part import checked_part


@dataclass(frozen=True, slots=True)
class MaskStateRecipe:
    """A training run.

    - ``source``: one line for the weights file that says where they come from.
    - ``sets``: from what. ``collection``: from the collection of ``mask_state_examples`` as well.
      ``validation``: what each round is measured on besides, never chosen by.
    - ``drawn_worn``, ``drawn_wrong``, ``lookalikes``: shares of the collection's unmasked faces that appear once
      more with a mask drawn on, as required or not, or with what is taken for one (``mask_state_drawings``).
    - ``network``, ``crops``, ``augmentation``: what is trained, on which crops, how they are treated.
    - ``tuned_layers``: how many of the backbone's last convolutions learn; 0 none, all when left out.
    - ``rounds`` of ``steps_per_round`` steps with ``batch_size`` crops.
    - ``label_shares``: of with_mask, without_mask, incorrect and not_visible among the crops.
      ``source_power`` and ``source_factors``: see ``mask_state_batches.sampling_weights``.
    - ``learning_rate``: reached after ``warm_up_steps``, then falling to a hundredth. ``weight_decay`` of
      AdamW.
    - ``box_sources``: whose boxes teach where faces end: those of one labeller's habit; sources as the crops name them.
    - ``average_decay``: of the averaged weights. ``label_smoothing``: of the targets. ``kind_weight``,
      ``box_weight``: of the kinds' and the boxes' parts of the loss. ``half_precision``: compute in bfloat16, with
      weights that stay float32.
    - ``part``: of the crops, so much is learned from; all of what is held out is measured on.
    - ``workers``: threads that make batches. ``seed``: of everything left to chance, held-out parts of ``sets``
      included.
    """

    source: str
    sets: tuple[FaceSet, ...] = ()
    collection: bool = False
    validation: tuple[FaceSet, ...] = ()
    drawn_worn: float = 0.25
    drawn_wrong: float = 0.25
    lookalikes: float = 0.0
    network: MaskStateConfig = field(default_factory=MaskStateConfig)
    crops: CropGeometry = field(default_factory=CropGeometry)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    rounds: int = 30
    steps_per_round: int = 200
    batch_size: int = 64
    label_shares: tuple[float, ...] = (0.38, 0.35, 0.10, 0.17)
    source_power: float = 0.6
    source_factors: Mapping[str, float] = field(default_factory=dict)
    learning_rate: float = 2e-3
    warm_up_steps: int = 200
    weight_decay: float = 0.02
    label_smoothing: float = 0.03
    tuned_layers: int | None = None
    kind_weight: float = 0.5
    box_sources: tuple[str, ...] = ()
    box_weight: float = 2.0
    half_precision: bool = False
    average_decay: float = 0.998
    workers: int = 2
    seed: int = 1
    part: float = 1.0

    def __post_init__(self) -> None:
        checked_part(self.part)
        if self.network.size_px != self.crops.size_px:
            raise TrainingError(
                f"crops of {self.crops.size_px} do not fit a network of {self.network.size_px}"
            )
        if len(self.label_shares) != LOGITS or min(self.label_shares) < 0 or not sum(self.label_shares) > 0:
            raise TrainingError(f"label_shares must be {LOGITS} numbers from 0, got {self.label_shares}")
        if self.network.box and not self.box_sources:
            raise TrainingError("a network that tells boxes needs box_sources, which teach them")
        if self.tuned_layers is not None and self.tuned_layers < 0:
            raise TrainingError(f"tuned_layers must be at least 0, got {self.tuned_layers}")
        for name in ("rounds", "steps_per_round", "batch_size", "workers"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} must be at least 1")


def read_mask_state_recipe(path: Path) -> MaskStateRecipe:
    """Read a recipe. Raises ``TrainingError`` when the file is missing, no YAML, or has a wrong key or
    value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path}: is no YAML: {error}") from error
    parts = {"network": MaskStateConfig, "crops": CropGeometry, "augmentation": AugmentationConfig}
    try:
        values = _tuples(content)
        for name in ("sets", "validation"):
            values[name] = tuple(_made(FaceSet, _mapping(name, row)) for row in values.get(name, ()))
        for name, kind in parts.items():
            values[name] = _made(kind, values.get(name, {}))
        recipe: MaskStateRecipe = _made(MaskStateRecipe, values)
    except (TypeError, ValueError, TrainingError) as error:
        raise TrainingError(f"{path}: {error}") from error
    return recipe


def _mapping(name: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TrainingError(f"{name}: expected keys and values, got {row!r}")
    return row


def _made(kind: Any, values: Mapping[str, Any]) -> Any:
    unknown = sorted(set(values) - {known.name for known in fields(kind)})
    if unknown:
        raise TrainingError(f"unknown keys {unknown} of {kind.__name__}")
    return kind(**values)


def _tuples(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise TrainingError("expected keys and values")
    return {
        name: tuple(value)
        if isinstance(value, list)
        else _tuples(value)
        if isinstance(value, dict)
        else value
        for name, value in values.items()
    }
