"""Loads the detector for the daemon and the commands, without the noise that its libraries make."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from streamer.native_noise import native_noise_hidden

if TYPE_CHECKING:
    from models.combined_detector import CombinedDetector

Device = Literal["auto", "cpu", "gpu"]

#: Detections below this are of no use to the tracker (``rules.tuning.Tuning.low_score``).
LEAST_SCORE: Final = 0.2


def load_detector(
    *,
    device: Device = "auto",
    weights: Mapping[str, Path] | None = None,
    score_threshold: float = LEAST_SCORE,
    models: Collection[str] | None = None,
) -> "CombinedDetector":
    """``models.loading.load_default_detector``, quietly; the same arguments and errors."""
    from models.loading import load_default_detector  # noqa: PLC0415 - loads TensorFlow

    with native_noise_hidden():
        return load_default_detector(
            device=device, weights=weights, score_threshold=score_threshold, models=models
        )
