"""The mask-state network while it learns: its optimizer, its averaged twin, and the step itself."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.mask_state_recipe import MaskStateRecipe
from models.training.retinaface_checkpoint import RunState
from models.weights.keras_variables import assign_tensors, named_variables, numbers_of, tensors_of


class MaskStateLearner:
    """AdamW on a warmed-up cosine, gradients clipped, weights averaged over steps (batch statistics too).

    ``network`` is trained in place; ``average`` holds the averaged weights by name, which get measured and
    shipped.
    """

    def __init__(self, network: keras.Model, recipe: MaskStateRecipe) -> None:
        self.network = network
        self.step = 0
        self._average_decay = recipe.average_decay
        steps = recipe.rounds * recipe.steps_per_round
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.learning_rate / 20,
            decay_steps=max(1, steps - recipe.warm_up_steps),
            alpha=0.01,
            warmup_target=recipe.learning_rate,
            warmup_steps=recipe.warm_up_steps,
        )
        self._optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=recipe.weight_decay, global_clipnorm=5.0
        )
        # scales, shifts and biases are not shrunk towards zero
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
        network.compile(optimizer=self._optimizer, loss=loss, jit_compile=False)
        self._optimizer.build(network.trainable_variables)
        self.average = tensors_of(network)

    def learn(self, crops: NDArray[np.uint8], targets: NDArray[np.float32]) -> float:
        """One step on crops (N, S, S, 3) and targets (N, K); its loss. Raises ``TrainingError`` when not
        finite.
        """
        self.network.reset_metrics()
        loss = float(self.network.train_on_batch(crops, targets))
        if not math.isfinite(loss):
            raise TrainingError(f"the loss of step {self.step} is {loss}; nothing was saved from it")
        self.step += 1
        # the average forgets faster in the beginning, when it is made of little
        decay = min(self._average_decay, (1 + self.step) / (10 + self.step))
        for name, variable in named_variables(self.network).items():
            mean = self.average[name]
            mean += (1 - decay) * (numbers_of(variable) - mean)
        return loss

    def state(self) -> RunState:
        """Everything that a resumed run needs."""
        tensors: dict[str, NDArray[Any]] = {
            f"network/{name}": value for name, value in tensors_of(self.network).items()
        }
        tensors |= {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {
            f"optimizer/{number:04d}": numbers_of(variable)
            for number, variable in enumerate(self._optimizer.variables)
        }
        return RunState(tensors=tensors, step=self.step)

    def resume(self, state: RunState) -> None:
        """Take over a saved state. Raises ``WeightsError`` or ``TrainingError`` when it does not fit."""
        assign_tensors(self.network, state.part("network"), origin="saved state")
        self.average = {name: np.array(value) for name, value in state.part("average").items()}
        saved = [value for _, value in sorted(state.part("optimizer").items())]
        variables = self._optimizer.variables
        if [value.shape for value in saved] != [tuple(variable.shape) for variable in variables]:
            raise TrainingError("the saved state has another optimizer")
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        self.step = state.step
