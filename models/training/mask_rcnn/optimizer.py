"""AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with a learning rate per layer."""

from collections.abc import Sequence
from typing import Any

import keras


class LayerwiseAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW whose steps are multiplied per variable.

    ``factors``: of each trainable variable, in their order. Scaling gradients would do nothing: Adam divides
    their size out.
    """

    def __init__(self, learning_rate: Any, *, factors: Sequence[float], **options: Any) -> None:
        super().__init__(learning_rate, **options)
        self._factors = tuple(factors)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable."""
        super().update_step(
            gradient, variable, learning_rate * self._factors[self._get_variable_index(variable)]
        )


def warmed_up_cosine(height: float, steps: int, warm_up_steps: int, final_share: float) -> Any:
    """Learning rate that rises in a line for ``warm_up_steps`` and falls as a cosine for the rest of
    ``steps``, to ``final_share`` of its height."""
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=height / 100,
        decay_steps=max(1, steps - warm_up_steps),
        alpha=final_share,
        warmup_target=height,
        warmup_steps=warm_up_steps,
    )
