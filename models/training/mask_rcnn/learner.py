"""One Mask R-CNN while it learns: its losses, its optimizer, its averaged twin, and the step itself."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.mask_rcnn.heads import SEG_MASK_INPUT_SIDE, SEG_MASK_SIDE
from models.mask_rcnn.network import MaskRcnn, flattened
from models.mask_rcnn.proposals import ProposalSettings
from models.mask_rcnn.roi_align import roi_align
from models.training.mask_rcnn.lesson import LOSS_PARTS, Lesson
from models.training.mask_rcnn.losses import (
    anchor_box_loss,
    box_loss,
    class_loss,
    objectness_loss,
    seg_mask_loss,
)
from models.training.mask_rcnn.optimizer import LayerwiseAdamW, warmed_up_cosine
from models.training.mask_rcnn.roi_targets import (
    RoiSampling,
    RoiTargets,
    roi_targets,
    seg_mask_rows,
    seg_mask_targets,
)
from models.training.run_state import RunState
from models.weights.keras_variables import assign_tensors, named_variables, numbers_of, tensors_of


class _WithLosses(keras.Model):  # type: ignore[misc]
    """The network with its losses, for Keras' own training step on every backend.

    Batch norms keep the statistics of the initial weights: see ``MaskRcnn.look``.
    """

    def __init__(
        self,
        network: MaskRcnn,
        proposals: ProposalSettings,
        sampling: RoiSampling,
        lesson: Lesson,
    ) -> None:
        # labels are not to be rounded where the network computes in half precision
        super().__init__(name="learner", dtype="float32")
        self.trunk, self.box_head, self.mask_head = network.trunk, network.box_head, network.mask_head
        self._network = network
        self._proposals = proposals
        self._sampling = sampling
        self._weights = {part: lesson.loss_weight(part) for part in LOSS_PARTS}
        self.seeds = keras.random.SeedGenerator(1)
        self.parts = [keras.metrics.Mean(name=name) for name in (*LOSS_PARTS, "total")]

    def call(self, truth: dict[str, Any], training: bool = False) -> dict[str, Any]:  # noqa: ARG002
        input_hw = (int(truth["pixels"].shape[1]), int(truth["pixels"].shape[2]))
        trunk = self._network.look(truth["pixels"])
        boxes, valid = self._network.propose(trunk, input_hw, self._proposals)
        targets = roi_targets(boxes, valid, truth, self.seeds, self._sampling)
        flat_boxes, image_ids = flattened(targets.boxes)
        logits, deltas = self._network.judge_boxes(trunk, flat_boxes, image_ids)
        classes = self._network.config.class_count
        shape = (-1, self._sampling.count, classes)
        return {
            "objectness": objectness_loss(trunk.rpn_logits, truth),
            "anchor_box": anchor_box_loss(trunk.rpn_deltas, truth),
            "class": class_loss(keras.ops.reshape(logits, shape), targets.admissible, targets.weights),
            "box": box_loss(
                keras.ops.reshape(deltas, (*shape, 4)), targets.deltas, targets.admissible, targets.is_object
            ),
            "seg_mask": self._seg_mask_loss(trunk.levels[:4], targets, truth),
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        del x, y, sample_weight, training
        total = sum(self._weights[part] * y_pred[part] for part in LOSS_PARTS)
        for metric in self.parts:
            metric.update_state(y_pred.get(metric.name, total))
        return total

    @property
    def metrics(self) -> list[Any]:
        return self.parts

    def _seg_mask_loss(self, levels: Any, targets: RoiTargets, truth: dict[str, Any]) -> Any:
        rows, weights = seg_mask_rows(targets, truth, self._sampling)
        boxes = keras.ops.take_along_axis(targets.boxes, rows[..., None], axis=1)
        admissible = keras.ops.take_along_axis(targets.admissible, rows[..., None], axis=1)
        thing = keras.ops.take_along_axis(targets.thing, rows, axis=1)
        gt_boxes = keras.ops.take_along_axis(truth["gt_boxes"], thing[..., None], axis=1)
        gt_pixels = keras.ops.take_along_axis(truth["gt_seg_masks"], thing[..., None, None], axis=1)
        flat_boxes, image_ids = flattened(boxes)
        length = int(gt_pixels.shape[-1])
        wanted = seg_mask_targets(
            flat_boxes,
            keras.ops.reshape(gt_boxes, (-1, 4)),
            keras.ops.reshape(gt_pixels, (-1, length, length)),
            SEG_MASK_SIDE,
        )
        features = roi_align(
            levels,
            flat_boxes,
            image_ids,
            geometry=self._network.geometry,
            side=SEG_MASK_INPUT_SIDE,
            sampling_points=self._network.config.sampling_points,
        )
        return seg_mask_loss(
            keras.ops.cast(self.mask_head(features, training=False), "float32"),
            wanted,
            keras.ops.reshape(admissible, (-1, self._network.config.class_count)),
            keras.ops.reshape(weights, (-1,)),
        )


class Learner:
    """AdamW, gradients clipped, weights averaged over steps; one lesson.

    ``average_decay`` is that of the exponential average (Polyak), which is what gets measured and shipped;
    ``average`` starts a lesson with what the one before ended with.
    """

    def __init__(
        self,
        network: MaskRcnn,
        lesson: Lesson,
        *,
        average_decay: float,
        proposals: ProposalSettings,
        sampling: RoiSampling,
        average: dict[str, NDArray[np.float32]] | None = None,
    ) -> None:
        self.network = network
        self.step = 0
        self._average_decay = average_decay
        factors = {layer.name: lesson.factor(layer.name) for layer in network.layers}
        for layer in network.layers:
            layer.trainable = factors[layer.name] > 0
        self._model = _WithLosses(network, proposals, sampling, lesson)
        factor_of = {
            variable.path: factors[layer.name] for layer in network.layers for variable in layer.weights
        }
        schedule = warmed_up_cosine(
            lesson.learning_rate, lesson.steps, lesson.warm_up_steps, lesson.final_share
        )
        self._optimizer = LayerwiseAdamW(
            schedule,
            factors=[factor_of[variable.path] for variable in self._model.trainable_variables],
            weight_decay=lesson.weight_decay,
            global_clipnorm=10.0,
        )
        # scales, shifts and biases are not shrunk towards zero
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._model.compile(optimizer=self._optimizer, jit_compile=False)
        self._optimizer.build(self._model.trainable_variables)
        self.average = average if average is not None else tensors_of(network)

    def learn(self, batch: dict[str, NDArray[Any]]) -> dict[str, float]:
        """One step; returns the parts of its loss. Raises ``TrainingError`` when it is not finite."""
        self._model.reset_metrics()
        logs = self._model.train_on_batch(batch, return_dict=True)
        parts = {name: float(logs[name]) for name in (*LOSS_PARTS, "total")}
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
        # which boxes are drawn goes on where it stood
        tensors["seeds"] = numbers_of(self._model.seeds.state)
        return RunState(tensors=tensors, step=self.step)

    def resume(self, state: RunState) -> None:
        """Continue where ``state`` says. Raises ``TrainingError`` when it is of another network."""
        assign_tensors(self.network, state.part("network"), origin="state")
        self.average = {name: np.array(value, np.float32) for name, value in state.part("average").items()}
        numbers = state.part("optimizer")
        if len(numbers) != len(self._optimizer.variables):
            raise TrainingError("the state belongs to another optimizer")
        for number, variable in enumerate(self._optimizer.variables):
            variable.assign(numbers[f"{number:04d}"])
        if "seeds" in state.tensors:
            self._model.seeds.state.assign(state.tensors["seeds"])
        self.step = state.step
