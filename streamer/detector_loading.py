"""Loads the detector for the daemon and the commands, without the noise that its libraries make.

Two environment variables are for those who measure or look for a fault, and stand above settings: ``PPEWATCH_RUNTIME``
(``keras`` or ``openvino``) insists on what runs the networks, ``PPEWATCH_PRECISION`` on how exactly OpenVINO counts.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, get_args

from models.runtime.choice import Device, RuntimeChoice
from models.runtime.precision import PrecisionChoice
from models.structures import Category
from streamer.errors import StreamerError
from streamer.native_noise import native_noise_hidden

if TYPE_CHECKING:
    from models.combined_detector import CombinedDetector

__all__ = ["LEAST_SCORE", "Device", "load_detector"]

#: Detections below this are of no use to the tracker (``rules.tuning.Tuning.low_score``).
LEAST_SCORE: Final = 0.2

#: Of these the rules and the pictures of alerts use the pixels (``rules.headgear``, ``rules.mask_fit``). To tell those
#: of everybody's body and head takes as long again.
SEGMENTED_GEAR: Final = frozenset({Category.HARD_HAT, Category.HAT, Category.FACE_MASK})

_Word = TypeVar("_Word", bound=str)


def load_detector(
    *,
    device: Device = "auto",
    weights: Mapping[str, Path] | None = None,
    score_threshold: float = LEAST_SCORE,
    models: Collection[str] | None = None,
    seg_masks_of: Collection[Category] | None = SEGMENTED_GEAR,
    precision: PrecisionChoice = "auto",
) -> "CombinedDetector":
    """``models.loading.load_default_detector``, quietly, as the rules need it; the same arguments and errors, and
    ``StreamerError`` where an environment variable says what it cannot."""
    from models.loading import load_default_detector  # noqa: PLC0415 - OpenCV

    runtime: RuntimeChoice = _word("PPEWATCH_RUNTIME", get_args(RuntimeChoice), "auto")
    precise: PrecisionChoice = _word("PPEWATCH_PRECISION", get_args(PrecisionChoice), precision)
    with native_noise_hidden():
        return load_default_detector(
            device=device,
            weights=weights,
            score_threshold=score_threshold,
            models=models,
            seg_masks_of=seg_masks_of,
            runtime=runtime,
            precision=precise,
        )


def _word(variable: str, words: tuple[_Word, ...], usual: _Word) -> _Word:
    given = os.environ.get(variable, usual)
    for word in words:
        if word == given:
            return word
    raise StreamerError(f"{variable} is {given!r}; it may be {', '.join(words)}")
