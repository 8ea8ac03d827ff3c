"""How the worker builds the models that the site asks for."""

from collections.abc import Callable
from typing import cast

from config import SiteSettings
from models.detector import SelectiveDetector
from streamer import wiring
from streamer.detector_loading import Device, load_detector
from streamer.inference.worker import DetectorFactory


def detector_factory(present: Callable[[], SiteSettings]) -> DetectorFactory:
    """Builds the models that the site, as it is then, asks for; called in the worker's thread, which then loads
    TensorFlow.
    """

    def build(*, device: str) -> SelectiveDetector:
        site = present()
        return load_detector(
            device=cast(Device, device),
            weights=wiring.weights_of(site),
            models=wiring.all_models_of(site),
            precision=site.inference.precision.value,
        )

    return build
