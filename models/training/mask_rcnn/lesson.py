"""One part of a training run: what learns, how fast, for how long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

LOSS_PARTS: Final = ("objectness", "anchor_box", "class", "box", "seg_mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One part of a training run.

    - ``steps``: how many. ``learning_rate``: at its height, after ``warm_up_steps``; from there it falls as a
      cosine to ``final_share`` of it.
    - ``learning_rate_factors``: by beginning of a layer's name; the longest that fits counts, none is 1;
      0 freezes.
    - ``loss_weights``: by ``LOSS_PARTS``; 1 where it says nothing.
    - ``starts_from``: the ``last`` weights of the lesson before, or the ``best`` of the run so far.

    Raises ``ValueError`` on unknown parts and values out of range.
    """

    steps: int
    learning_rate: float
    warm_up_steps: int = 100
    final_share: float = 0.01
    weight_decay: float = 1e-3
    learning_rate_factors: Mapping[str, float] = field(default_factory=dict)
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    starts_from: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.warm_up_steps < 0:
            raise ValueError("a lesson needs steps and a learning rate above 0")
        unknown = set(self.loss_weights) - set(LOSS_PARTS)
        if unknown:
            raise ValueError(f"loss_weights: there are {', '.join(LOSS_PARTS)}, not {sorted(unknown)}")
        if self.starts_from not in {"last", "best"}:
            raise ValueError(f"starts_from: last or best, not {self.starts_from!r}")

    def factor(self, layer_name: str) -> float:
        """What multiplies the learning rate of a layer."""
        fitting = [start for start in self.learning_rate_factors if layer_name.startswith(start)]
        return self.learning_rate_factors[max(fitting, key=len)] if fitting else 1.0

    def loss_weight(self, part: str) -> Any:
        """What multiplies a part of the loss."""
        return float(self.loss_weights.get(part, 1.0))
