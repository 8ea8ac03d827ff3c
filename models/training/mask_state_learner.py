"""The mask-state network while it learns: its optimizer, its averaged twin, and the step itself."""

import math
from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.mask_state.network import ANSWERING_LAYERS, LOGITS, MaskStateConfig
from models.training.mask_state_augmentation import BOX_TARGETS, BOX_WEIGHT
from models.training.mask_state_recipe import MaskStateRecipe
from models.training.run_state import RunState
from models.training.smooth_l1 import smooth_l1
from models.weights.keras_variables import assign_tensors, named_variables, numbers_of, tensors_of

#: Deltas of the box that are wrong by less are pulled less: labels are no more exact.
_BOX_BETA: Final = 0.05


class MaskStateLearner:
    """AdamW on a warmed-up cosine, gradients clipped, weights averaged over steps (batch statistics too).

    ``network`` is trained in place; ``average`` holds the averaged weights by name, which get measured and
    shipped. Where the recipe says so, only the last convolutions learn, and what lies behind them.
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
        if recipe.tuned_layers is not None:
            freeze_all_but(network, recipe.tuned_layers)
        loss = mask_state_loss(
            recipe.network,
            label_smoothing=recipe.label_smoothing,
            kind_weight=recipe.kind_weight,
            box_weight=recipe.box_weight,
        )
        network.compile(optimizer=self._optimizer, loss=loss, jit_compile=False)
        self._optimizer.build(network.trainable_variables)
        self.average = tensors_of(network)

    def learn(self, crops: NDArray[np.uint8], targets: NDArray[np.float32]) -> float:
        """One step on crops (N, S, S, 3) and targets (N, 12); its loss. Raises ``TrainingError`` when not
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


def mask_state_loss(
    config: MaskStateConfig, *, label_smoothing: float, kind_weight: float, box_weight: float
) -> Callable[[Any, Any], Any]:
    """Cross entropy of the states, and ``kind_weight`` times that of the kinds and ``box_weight`` times the smooth L1
    distance of the deltas of the box (``smooth_l1`` with a beta of 0.05), where the network of ``config`` tells them.

    Of targets (N, 12) and answers (N, K) or (N, K + 4), by example: (N,). The mean over the batch is the mean over the
    states of all examples, over the kinds of those that have one (rows of zeros teach no kind) and over the boxes by
    their weight.
    """

    def smoothed(targets: Any) -> Any:
        classes = targets.shape[-1]
        whole = keras.ops.sum(targets, axis=-1, keepdims=True)
        return targets * (1 - label_smoothing) + whole * label_smoothing / classes

    def cross_entropy(targets: Any, logits: Any) -> Any:
        return -keras.ops.sum(smoothed(targets) * keras.ops.log_softmax(logits), axis=-1)

    def of_known(values: Any, known: Any) -> Any:
        """Values (N,) scaled so that their mean over the batch is that over the known ones."""
        examples = keras.ops.cast(keras.ops.shape(values)[0], known.dtype)
        return values * examples / keras.ops.maximum(known, 1.0)

    def loss(targets: Any, answers: Any) -> Any:
        total = cross_entropy(targets[:, :LOGITS], answers[:, :LOGITS])
        if config.kinds:
            kinds = targets[:, LOGITS : BOX_TARGETS.start]
            cross = cross_entropy(kinds, answers[:, LOGITS : config.logits])
            total = total + kind_weight * of_known(cross, keras.ops.sum(kinds))
        if config.box:
            weights = targets[:, BOX_WEIGHT]
            distances = smooth_l1(targets[:, BOX_TARGETS] - answers[:, config.logits :], _BOX_BETA)
            total = total + box_weight * of_known(distances * weights, keras.ops.sum(weights))
        return total

    return loss


def freeze_all_but(network: keras.Model, convolutions: int) -> None:
    """Keep everything before the last ``convolutions`` of the backbone as it is, their batch norms' statistics too."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)
    places = [
        place
        for place, layer in enumerate(network.layers)
        if isinstance(layer, kinds) and layer.name not in ANSWERING_LAYERS
    ]
    first = len(network.layers) if convolutions == 0 else places[-min(convolutions, len(places))]
    for place, layer in enumerate(network.layers):
        layer.trainable = place >= first or layer.name in ANSWERING_LAYERS
