"""One network while it learns: its optimizer, its averaged twin, and the step itself."""

from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.retinaface_loss import LOSS_PARTS, LossSettings, retinaface_loss
from models.training.run_state import RunState
from models.weights.keras_variables import assign_tensors, named_variables, numbers_of, tensors_of

_LOGGED: Final = ("total", *LOSS_PARTS)


class _WithLoss(keras.Model):  # type: ignore[misc]
    """The network with its loss, for Keras' own training step on every backend.

    Unless it is to ``learn_batch_norms``, these keep the statistics of the initial weights (their scale and
    shift still learn): a batch of eight canvases with grey margins would estimate worse ones.
    """

    def __init__(self, network: keras.Model, settings: LossSettings, *, learn_batch_norms: bool) -> None:
        super().__init__(name="learner")
        self.network = network
        self._settings = settings
        self._learn_batch_norms = learn_batch_norms
        self.parts = [keras.metrics.Mean(name=name) for name in _LOGGED]

    def call(self, pictures: Any, training: bool = False) -> Any:
        return self.network(pictures, training=training and self._learn_batch_norms)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        del x, sample_weight, training
        losses = retinaface_loss(y_pred, y, self._settings)
        for metric in self.parts:
            metric.update_state(losses[metric.name])
        return losses["total"]

    @property
    def metrics(self) -> list[Any]:
        return self.parts


class Learner:
    """Adam with decoupled weight decay on a warmed-up cosine, gradients clipped, weights averaged over steps.

    ``average_decay`` is that of the exponential average (Polyak), which is what gets measured and shipped.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        steps: int,
        learning_rate: float,
        weight_decay: float,
        warm_up_steps: int,
        average_decay: float,
        loss: LossSettings | None = None,
        learn_batch_norms: bool = False,
    ) -> None:
        self.network = network
        self.step = 0
        self._average_decay = average_decay
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=learning_rate / 100,
            decay_steps=max(1, steps - warm_up_steps),
            alpha=0.01,
            warmup_target=learning_rate,
            warmup_steps=warm_up_steps,
        )
        self._optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, global_clipnorm=10.0)
        # scales, shifts and biases are not shrunk towards zero
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._model = _WithLoss(network, loss or LossSettings(), learn_batch_norms=learn_batch_norms)
        self._model.compile(optimizer=self._optimizer, jit_compile=False)
        self._optimizer.build(self._model.trainable_variables)
        self.average = tensors_of(network)

    def learn(self, pixels: NDArray[np.float32], targets: dict[str, NDArray[np.float32]]) -> dict[str, float]:
        """One step; returns the parts of its loss. Raises ``TrainingError`` when it is not finite."""
        self._model.reset_metrics()
        logs = self._model.train_on_batch(pixels, targets, return_dict=True)
        parts = {name: float(logs[name]) for name in _LOGGED}
        if not np.isfinite(list(parts.values())).all():
            raise TrainingError(
                f"the loss of step {self.step} is not finite: {parts}; nothing was saved from it"
            )
        self.step += 1
        # the average forgets faster in the beginning, when it is made of little
        decay = min(self._average_decay, (1 + self.step) / (10 + self.step))
        for name, variable in named_variables(self.network).items():
            mean = self.average[name]
            mean += (1 - decay) * (numbers_of(variable) - mean)
        return parts

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
        self.average = state.part("average")
        saved = [value for _, value in sorted(state.part("optimizer").items())]
        variables = self._optimizer.variables
        if [value.shape for value in saved] != [tuple(variable.shape) for variable in variables]:
            raise TrainingError("the saved state has another optimizer")
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)
        self.step = state.step
