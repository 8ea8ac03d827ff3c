"""From logits to probabilities that mean what they say.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599): one number divides all logits; it changes no decision
and is fitted on faces that the network was not trained on.

Shapes: N faces, K = 4 or 7 logits (see ``network``).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.mask_state.config import LOGITS, NOT_VISIBLE


@dataclass(frozen=True, slots=True, eq=False)
class MaskStates:
    """What the classifier says of N faces.

    - ``probs``: float32 (N, 3), calibrated, in the order of ``FACE_MASK_CLASSES``; each row sums to 1. Given
      that the face can be told at all.
    - ``visibility``: float32 (N,), probability that it can: low for what is no face, is turned away or has
      too few pixels.
    - ``kinds``: float32 (N, 3), calibrated, in the order of ``network.KINDS``; each row sums to 1. Given that
      there is a mask. None from a network that does not tell kinds.
    - ``boxes_in_crop``: float32 (N, 4), where the faces end in their crops (see ``boxes``). None from a network that
      does not tell.
    """

    probs: NDArray[np.float32]
    visibility: NDArray[np.float32]
    kinds: NDArray[np.float32] | None = None
    boxes_in_crop: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.visibility)


def softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities of logits (..., K)."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    powers = np.exp(shifted)
    result: NDArray[np.float64] = powers / powers.sum(-1, keepdims=True)
    return result


def mask_states(logits: NDArray[np.float32], temperature: float, kind_temperature: float = 1.0) -> MaskStates:
    """Calibrated answers of logits (N, K): the three classes given that they can be told, whether they can,
    and the kinds where K is 7.
    """
    scaled = logits[:, :LOGITS].astype(np.float64) / temperature
    kinds = None
    if logits.shape[1] > LOGITS:
        kinds = softmax(logits[:, LOGITS:].astype(np.float64) / kind_temperature).astype(np.float32)
    return MaskStates(
        probs=softmax(scaled[:, :NOT_VISIBLE]).astype(np.float32),
        visibility=(1 - softmax(scaled)[:, NOT_VISIBLE]).astype(np.float32),
        kinds=kinds,
    )


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> float:
    """The temperature in 0.2 to 10 that makes ``labels`` (N,) most likely under ``logits`` (N, K)."""

    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - large, and not needed to classify

    def negative_log_likelihood(log_temperature: float) -> float:
        probs = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12)).mean())

    best = minimize_scalar(negative_log_likelihood, bounds=(np.log(0.2), np.log(10)), method="bounded")
    return float(np.exp(best.x))
