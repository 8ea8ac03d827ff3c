"""How good a mask-state network is on the faces that a run holds out, and on those that it is measured on besides.

Shapes: N faces, S side of the crops, K = 4 or 7 logits, behind which a network that tells boxes has their deltas.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.evaluation.classification import ClassificationReport, classification_report
from models.mask_state.boxes import boxes_of
from models.mask_state.calibration import fit_temperature
from models.mask_state.crops import CropGeometry
from models.mask_state.network import BOX_DELTAS, LOGITS, NOT_VISIBLE, MaskStateConfig
from models.networks.boxes import box_iou
from models.training.mask_state_augmentation import (
    BOX_TARGETS,
    AugmentationConfig,
    augmented_crop,
    plain_crops,
)
from models.training.mask_state_batches import box_weight_of
from models.training.mask_state_cache import CropCache
from models.training.mask_state_labels import UNKNOWN_KIND

_DEGRADED_SEED: Final = 20_000_003


@dataclass(frozen=True, slots=True)
class Judgement:
    """One round's figures.

    - ``score``: to choose by: the mean of the F1 of held-out faces (macro, over the states that occur) clean and
      degraded, and of the share of right kinds where they are told.
    - ``temperature``, ``kind_temperature``: fitted on held-out faces.
    - ``figures``: all of it by name, for people and curves.
    """

    score: float
    temperature: float
    kind_temperature: float
    figures: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:.4f}" for name, value in self.figures.items())


class Judge:
    """Judges a network on held-out faces of ``training``, clean and degraded; degraded ones may have become
    untellable, which their labels say. ``validation`` is looked at, never chosen by; its parts are the first words
    of its sources. ``config``: of the networks that are judged; ``box_sources``: whose boxes tell where faces end.

    Raises ``TrainingError`` when nothing is held out.
    """

    def __init__(
        self,
        training: CropCache,
        validation: CropCache,
        *,
        config: MaskStateConfig,
        geometry: CropGeometry,
        augmentation: AugmentationConfig,
        box_sources: Collection[str] = (),
    ) -> None:
        chosen = np.flatnonzero(training.held_out).tolist()
        if not chosen:
            raise TrainingError("the training set holds out no example for calibration")
        rng = np.random.default_rng(_DEGRADED_SEED)
        degraded = [
            augmented_crop(
                training.region(i),
                training.boxes_xyxy[i],
                int(training.labels[i]),
                box_weight=box_weight_of(training, i, box_sources),
                geometry=geometry,
                config=augmentation,
                rng=rng,
            )
            for i in chosen
        ]
        self._clean = plain_crops(training, geometry, chosen)
        self._degraded = np.stack([crop for crop, _ in degraded])
        self._labels, self._kinds = training.labels[chosen], training.kinds[chosen]
        self._degraded_labels = np.array([int(row[:LOGITS].argmax()) for _, row in degraded], np.int32)
        self._box_targets = np.stack([row for _, row in degraded])[:, BOX_TARGETS.start :]
        self._validation, self._geometry, self._config = validation, geometry, config
        self._parts = np.array([source.split("/")[0] for source in validation.sources.tolist()], np.str_)

    def __call__(self, network: keras.Model) -> Judgement:
        """Figures of ``network``."""
        clean = self._logits(network, self._clean)
        answers = predict_answers(network, self._degraded)
        degraded = answers[:, : self._config.logits]
        temperature = fit_temperature(
            np.concatenate([clean, degraded])[:, :LOGITS],
            np.concatenate([self._labels, self._degraded_labels]),
        )
        figures = {
            "held-out F1": state_report(clean, self._labels).macro_f1,
            "degraded F1": state_report(degraded, self._degraded_labels).macro_f1,
        }
        kind_temperature, told = 1.0, self._kinds != UNKNOWN_KIND
        if clean.shape[1] > LOGITS and told.any():
            figures["held-out kinds"] = kinds_right(clean, self._kinds)
            kind_temperature = fit_temperature(clean[told, LOGITS:], self._kinds[told])
        score = float(np.mean(list(figures.values())))
        if self._config.box and self._box_targets[:, -1].any():
            figures["box IoU"] = self._box_overlap(answers[:, self._config.logits :])
            figures["box IoU before"] = self._box_overlap(np.zeros((len(answers), BOX_DELTAS), np.float32))
        return Judgement(score, temperature, kind_temperature, figures | self._validated(network))

    def _logits(self, network: keras.Model, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return predict_answers(network, crops)[:, : self._config.logits]

    def _box_overlap(self, deltas: NDArray[np.float32]) -> float:
        """Mean IoU of what ``deltas`` (N, 4) say with the labelled boxes of the degraded crops, by their weights."""
        told, labelled = boxes_of(deltas, self._geometry), boxes_of(self._box_targets[:, :-1], self._geometry)
        overlaps = np.array(
            [box_iou(one[None], other[None])[0, 0] for one, other in zip(told, labelled, strict=True)]
        )
        return float(np.average(overlaps, weights=self._box_targets[:, -1]))

    def _validated(self, network: keras.Model) -> dict[str, float]:
        cache = self._validation
        figures = {}
        for part in dict.fromkeys(self._parts.tolist()):
            chosen = np.flatnonzero(self._parts == part)
            logits = self._logits(network, plain_crops(cache, self._geometry, chosen.tolist()))
            labels, kinds = cache.labels[chosen], cache.kinds[chosen]
            report = state_report(logits, labels)
            figures[f"{part} accuracy"] = report.accuracy
            for label in np.unique(labels[labels != NOT_VISIBLE]).tolist():
                figures[f"{part} F1 {label}"] = float(report.f1[label])
            if logits.shape[1] > LOGITS and (kinds != UNKNOWN_KIND).any():
                figures[f"{part} kinds"] = kinds_right(logits, kinds)
        return figures


def predict_answers(
    model: keras.Model, crops: NDArray[np.uint8], batch_size: int = 256
) -> NDArray[np.float32]:
    """Answers (N, K) or (N, K + 4) of crops (N, S, S, 3), without augmentation or dropout."""
    parts = [
        np.asarray(keras.ops.convert_to_numpy(model.predict_on_batch(crops[i : i + batch_size])))
        for i in range(0, len(crops), batch_size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, model.output.shape[-1]), np.float32)


def state_report(logits: NDArray[np.float32], labels: NDArray[np.int32]) -> ClassificationReport:
    """Of the three classes, on the examples that can be told."""
    told = labels != NOT_VISIBLE
    return classification_report(labels[told], logits[told, :NOT_VISIBLE].argmax(1), NOT_VISIBLE)


def kinds_right(logits: NDArray[np.float32], kinds: NDArray[np.int32]) -> float:
    """The share of the masks of a known kind whose likeliest kind is theirs."""
    told = kinds != UNKNOWN_KIND
    return float((logits[told, LOGITS:].argmax(1) == kinds[told]).mean())
