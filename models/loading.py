"""The detector that the product runs with, from the weights that ship with it or from a user's own.

Importing this module is cheap: TensorFlow is loaded when a detector is.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from models.errors import WeightsError
from models.keras_start import load_keras
from models.structures import Gear
from models.weights.store import STORE

if TYPE_CHECKING:
    from models.combined_detector import CombinedDetector

Device = Literal["auto", "cpu", "gpu"]

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
) -> "CombinedDetector":
    """The models in one detector.

    - ``device``: ``auto`` takes a GPU when there is one.
    - ``weights``: weights files in place of the shipped ones, by ``NETWORKS``.
    - ``score_threshold``: least score of a detection.
    - ``models``: which, by ``MODELS``; None takes RetinaFace, and every other that is installed.

    Raises ``WeightsError`` when a file is missing, damaged or of another network, or a model is named that there is
    not; ``DeviceError`` when ``device`` is not there.
    """
    wanted = {"retinaface"} | installed_models(weights) if models is None else set(models)
    unknown = sorted(wanted - set(MODELS))
    if unknown or not wanted:
        raise WeightsError(f"there is no model {', '.join(unknown)!r}; there are {', '.join(MODELS)}")
    paths = weights_paths(
        weights, names=[network for name in MODELS if name in wanted for network in MODELS[name]]
    )
    load_keras()
    from models.combined_detector import CombinedDetector  # noqa: PLC0415 - needs Keras
    from models.face_mask_detector import FaceMaskDetector  # noqa: PLC0415
    from models.mask_rcnn.detector import MaskRcnnDetector  # noqa: PLC0415
    from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415

    faces = gear = None
    if "retinaface" in wanted:
        faces = FaceMaskDetector(
            RetinaFaceDetector(paths["retinaface"], score_threshold=score_threshold, device=device),
            MaskStateClassifier(paths["mask_state"], device=device),
        )
    if "maskrcnn" in wanted:
        gear = MaskRcnnDetector(paths["maskrcnn"], score_threshold=score_threshold, device=device)
    return CombinedDetector(faces, gear)


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
