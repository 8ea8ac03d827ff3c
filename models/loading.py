"""The detector that the product runs with, from the weights that ship with it or from a user's own.

Importing this module is cheap: the runtime is loaded when a detector is, TensorFlow only where it is the runtime.
"""

import itertools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from models.errors import ExportError, WeightsError
from models.keras_start import load_keras
from models.runtime.choice import Device, Runtime, RuntimeChoice, chosen_runtime
from models.structures import Category, Gear
from models.weights.files import load_weights
from models.weights.store import STORE, check_against_card

if TYPE_CHECKING:
    from models.combined_detector import CombinedDetector
    from models.runtime.precision import PrecisionChoice
    from models.runtime.session import SessionOptions

__all__ = [
    "MODELS",
    "MODEL_FOR_GEAR",
    "NETWORKS",
    "SEEN_GEAR",
    "Device",
    "WeightsError",
    "check_weights",
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
    seg_masks_of: Collection[Category] | None = None,
    runtime: RuntimeChoice = "auto",
    precision: "PrecisionChoice" = "auto",
) -> "CombinedDetector":
    """The models in one detector.

    - ``device``: ``auto`` takes a GPU when there is one.
    - ``runtime``: see ``models.runtime.choice``. Left to choose, networks that cannot be exported run in Keras.
    - ``precision``: how exactly OpenVINO counts, see ``models.runtime.precision``. Networks that were never quantised
      run as with ``auto`` where it is ``int8``, and the log says so. On a GPU ``bf16`` alone makes a difference.
    - ``weights``: weights files in place of the shipped ones, by ``NETWORKS``.
    - ``score_threshold``: least score of a detection.
    - ``seg_masks_of``: what pixels are wanted of, those of others are zeros; None: of everything.
    - ``models``: which, by ``MODELS``; None takes RetinaFace, and every other that is installed.

    Raises ``WeightsError`` when a file is missing, damaged, not what the card beside it says, or of another network, or
    a model is named that there is not; ``DeviceError`` when ``device`` is not there; ``ExportError`` when OpenVINO is
    insisted on and a network cannot be exported.
    """
    wanted = {"retinaface"} | installed_models(weights) if models is None else set(models)
    unknown = sorted(wanted - set(MODELS))
    if unknown or not wanted:
        raise WeightsError(f"there is no model {', '.join(unknown)!r}; there are {', '.join(MODELS)}")
    paths = weights_paths(weights, names=_networks_of(wanted))
    for path in paths.values():
        check_against_card(path)
    from models.combined_detector import CombinedDetector  # noqa: PLC0415 - OpenCV
    from models.face_mask_detector import FaceMaskDetector  # noqa: PLC0415
    from models.mask_rcnn.detector import MaskRcnnDetector  # noqa: PLC0415
    from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415

    chosen = chosen_runtime(device, runtime)
    _log.info("the networks run in %s", "OpenVINO, on the CPU" if chosen == "openvino" else "Keras")
    if chosen == "openvino":
        from models.runtime.cache import make_missing  # noqa: PLC0415

        make_missing(paths)

    ways = _ways(chosen, precision, insisted=runtime == chosen)
    faces = gear = None
    if "retinaface" in wanted:
        faces = FaceMaskDetector(
            _loaded(
                lambda way: RetinaFaceDetector(
                    paths["retinaface"],
                    score_threshold=score_threshold,
                    device=device,
                    runtime=way.runtime,
                    options=way.options,
                ),
                ways,
            ),
            _loaded(
                lambda way: MaskStateClassifier(
                    paths["mask_state"], device=device, runtime=way.runtime, options=way.options
                ),
                ways,
            ),
        )
    if "maskrcnn" in wanted:
        gear = _loaded(
            lambda way: MaskRcnnDetector(
                paths["maskrcnn"],
                score_threshold=score_threshold,
                seg_masks_of=seg_masks_of,
                device=device,
                runtime=way.runtime,
                options=way.options,
            ),
            ways,
        )
    return CombinedDetector(faces, gear, runs_beside=chosen == "keras" and _is_gpu(device))


def check_weights(models: Collection[str], weights: Mapping[str, Path] | None = None) -> None:
    """Raise the ``WeightsError`` that loading ``models`` with ``weights`` (see ``load_default_detector``) would raise,
    as far as the files tell; nothing is loaded.
    """
    from models.mask_rcnn.config import ARCHITECTURE as MASK_RCNN  # noqa: PLC0415
    from models.mask_state.config import ARCHITECTURE as MASK_STATE  # noqa: PLC0415
    from models.retinaface.config import ARCHITECTURE as RETINAFACE  # noqa: PLC0415

    architectures = {"retinaface": RETINAFACE, "mask_state": MASK_STATE, "maskrcnn": MASK_RCNN}
    for network, path in weights_paths(weights, names=_networks_of(models)).items():
        check_against_card(path)
        load_weights(path, architecture=architectures[network])


def _networks_of(models: Collection[str]) -> list[str]:
    return [network for name in MODELS if name in models for network in MODELS[name]]


def _is_gpu(device: Device) -> bool:
    """Whether Keras, which is loaded, runs networks for ``device`` on a GPU."""
    from models.networks.compiled import resolved_device  # noqa: PLC0415 - needs Keras

    return resolved_device(device).startswith("gpu")


class _Way(NamedTuple):
    """One way to run a network, and what it is called."""

    runtime: Runtime
    options: "SessionOptions | None"
    name: str


def _ways(runtime: Runtime, precision: "PrecisionChoice", *, insisted: bool) -> list[_Way]:
    """What is tried, in this order; Keras last where OpenVINO was not ``insisted`` on."""
    from models.runtime.session import SessionOptions  # noqa: PLC0415 - numpy

    keras = _Way("keras", None, "in Keras, which takes longer and more memory")
    if runtime == "keras":
        return [keras._replace(options=SessionOptions("bf16")) if precision == "bf16" else keras]
    from models.runtime.precision import chosen_precision  # noqa: PLC0415 - OpenVINO

    precisions = [chosen_precision(precision)]
    if precision == "int8":
        precisions.append(chosen_precision())
    ways = [_Way("openvino", SessionOptions(name), f"in OpenVINO as {name}") for name in precisions]
    return ways if insisted else [*ways, keras]


def _loaded(build: Callable[[_Way], _Model], ways: Sequence[_Way]) -> _Model:
    """What ``build`` makes the first of ``ways`` that the network can go. Raises what the last one does."""
    for way, other in itertools.pairwise(ways):
        try:
            return build(way)
        except ExportError as error:
            _log.warning("%s; it runs %s", error, other.name)
    if ways[-1].runtime == "keras":
        load_keras()
    return build(ways[-1])


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
