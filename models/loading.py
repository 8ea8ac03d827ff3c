"""The detector that the product runs with, from the weights that ship with it or from a user's own.

Importing this module is cheap: the runtime is loaded when a detector is, TensorFlow only where it is the runtime.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from models.errors import ExportError, WeightsError
from models.keras_start import load_keras
from models.runtime.choice import Device, Runtime, RuntimeChoice, chosen_runtime
from models.structures import Gear
from models.weights.store import STORE

if TYPE_CHECKING:
    from models.combined_detector import CombinedDetector
    from models.runtime.session import SessionOptions

__all__ = [
    "MODELS",
    "MODEL_FOR_GEAR",
    "NETWORKS",
    "SEEN_GEAR",
    "Device",
    "WeightsError",
    "installed_models",
    "load_default_detector",
    "weights_paths",
]

_log = logging.getLogger(__name__)

_Model = TypeVar("_Model")

#: The models by the names that users know, each with its networks: the names of ``Detector.digests`` and of the shipped
#: weights.
MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "retinaface": ("retinaface", "mask_state"),
    "maskrcnn": ("maskrcnn",),
}

NETWORKS: Final = tuple(network for networks in MODELS.values() for network in networks)

#: Who tells of each gear whether it is worn; without that model it stays unknown for ever.
MODEL_FOR_GEAR: Final[Mapping[Gear, str]] = {Gear.FACE_MASK: "retinaface", Gear.HARD_HAT: "maskrcnn"}

#: The gear of which some model can tell whether it is worn.
SEEN_GEAR: Final = frozenset(MODEL_FOR_GEAR)


def installed_models(weights: Mapping[str, Path] | None = None) -> frozenset[str]:
    """The models of which every weights file ships with the product, or is named by ``weights`` (by ``NETWORKS``)
    whether it is there or not: that it is missing must be an error when it is loaded.
    """
    named = set(weights or {})
    return frozenset(
        name
        for name, networks in MODELS.items()
        if all(network in named or _path(network, None).is_file() for network in networks)
    )


def load_default_detector(
    *,
    device: Device = "auto",
    weights: Mapping[str, Path] | None = None,
    score_threshold: float = 0.5,
    models: Collection[str] | None = None,
    runtime: RuntimeChoice = "auto",
    options: "SessionOptions | None" = None,
) -> "CombinedDetector":
    """The models in one detector.

    - ``device``: ``auto`` takes a GPU when there is one.
    - ``runtime``: see ``models.runtime.choice``. Left to choose, networks that cannot be exported run in Keras.
    - ``options``: how OpenVINO runs them.
    - ``weights``: weights files in place of the shipped ones, by ``NETWORKS``.
    - ``score_threshold``: least score of a detection.
    - ``models``: which, by ``MODELS``; None takes RetinaFace, and every other that is installed.

    Raises ``WeightsError`` when a file is missing, damaged or of another network, or a model is named that there is
    not; ``DeviceError`` when ``device`` is not there; ``ExportError`` when OpenVINO is insisted on and a network cannot
    be exported.
    """
    wanted = {"retinaface"} | installed_models(weights) if models is None else set(models)
    unknown = sorted(wanted - set(MODELS))
    if unknown or not wanted:
        raise WeightsError(f"there is no model {', '.join(unknown)!r}; there are {', '.join(MODELS)}")
    paths = weights_paths(
        weights, names=[network for name in MODELS if name in wanted for network in MODELS[name]]
    )
    from models.combined_detector import CombinedDetector  # noqa: PLC0415 - OpenCV
    from models.face_mask_detector import FaceMaskDetector  # noqa: PLC0415
    from models.mask_rcnn.detector import MaskRcnnDetector  # noqa: PLC0415
    from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415

    chosen = chosen_runtime(device, runtime)
    _log.info("the networks run in %s", "OpenVINO, on the CPU" if chosen == "openvino" else "Keras")

    def load(build: Callable[[Runtime], _Model]) -> _Model:
        return _in_runtime(build, chosen, insisted=runtime == chosen)

    faces = gear = None
    if "retinaface" in wanted:
        faces = FaceMaskDetector(
            load(
                lambda runs_in: RetinaFaceDetector(
                    paths["retinaface"],
                    score_threshold=score_threshold,
                    device=device,
                    runtime=runs_in,
                    options=options,
                )
            ),
            load(
                lambda runs_in: MaskStateClassifier(
                    paths["mask_state"], device=device, runtime=runs_in, options=options
                )
            ),
        )
    if "maskrcnn" in wanted:
        gear = load(
            lambda runs_in: MaskRcnnDetector(
                paths["maskrcnn"],
                score_threshold=score_threshold,
                device=device,
                runtime=runs_in,
                options=options,
            )
        )
    return CombinedDetector(faces, gear)


def _in_runtime(build: Callable[[Runtime], _Model], runtime: Runtime, *, insisted: bool) -> _Model:
    """What ``build`` makes for ``runtime``, or for Keras where OpenVINO cannot take the network and is not
    ``insisted`` on."""
    if runtime == "openvino":
        try:
            return build(runtime)
        except ExportError as error:
            if insisted:
                raise
            _log.warning("%s; it runs in Keras, which takes longer and more memory", error)
    load_keras()
    return build("keras")


def weights_paths(
    weights: Mapping[str, Path] | None = None, *, names: Collection[str] = MODELS["retinaface"]
) -> dict[str, Path]:
    """Path of the weights of each network of ``names``: that of ``weights``, else the shipped one.

    Raises ``WeightsError`` when a file is missing, or ``weights`` names a network that there is not.
    """
    unknown = sorted(set(weights or {}) - set(NETWORKS))
    if unknown:
        raise WeightsError(f"there is no network {unknown[0]!r}; there are {', '.join(NETWORKS)}")
    paths = {name: _path(name, weights) for name in names}
    for name, path in paths.items():
        if not path.is_file():
            raise WeightsError(f"{path}: the weights of {name} are missing")
    return paths


def _path(network: str, weights: Mapping[str, Path] | None) -> Path:
    return (weights or {}).get(network, STORE / f"{network}.safetensors")
