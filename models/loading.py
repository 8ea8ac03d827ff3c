"""The detector that the product runs with, from the weights that ship with it or from a user's own.

Importing this module is cheap: TensorFlow is loaded when a detector is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from models.errors import WeightsError
from models.structures import Gear
from models.weights.store import STORE

if TYPE_CHECKING:
    from models.face_mask_detector import FaceMaskDetector

Device = Literal["auto", "cpu", "gpu"]

#: The networks of the default detector, by the names of ``Detector.digests`` and of the shipped files.
NETWORKS: Final = ("retinaface", "mask_state")

#: The gear of which they can tell whether it is worn; any other stays unknown for ever.
SEEN_GEAR: Final = frozenset({Gear.FACE_MASK})


def load_default_detector(
    *,
    device: Device = "auto",
    models: Mapping[str, Path] | None = None,
    score_threshold: float = 0.5,
) -> "FaceMaskDetector":
    """RetinaFace with the mask-state classifier.

    - ``device``: ``auto`` takes a GPU when there is one.
    - ``models``: weights files in place of the shipped ones, by ``NETWORKS``.
    - ``score_threshold``: least score of a face.

    Raises ``WeightsError`` when a file is missing, damaged or of another network, ``DeviceError`` when
    ``device`` is not there.
    """
    paths = weights_paths(models)
    from models.face_mask_detector import FaceMaskDetector  # noqa: PLC0415 - loads TensorFlow
    from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415

    return FaceMaskDetector(
        RetinaFaceDetector(paths["retinaface"], score_threshold=score_threshold, device=device),
        MaskStateClassifier(paths["mask_state"], device=device),
    )


def weights_paths(
    models: Mapping[str, Path] | None = None, *, names: Sequence[str] = NETWORKS
) -> dict[str, Path]:
    """Path of the weights of each of ``names``: that of ``models``, else the shipped one.

    Raises ``WeightsError`` when a file is missing, or ``models`` names a network that there is not.
    """
    given = dict(models or {})
    unknown = sorted(set(given) - set(NETWORKS))
    if unknown:
        raise WeightsError(f"there is no network {unknown[0]!r}; there are {', '.join(NETWORKS)}")
    paths = {name: given.get(name, STORE / f"{name}.safetensors") for name in names}
    for name, path in paths.items():
        if not path.is_file():
            raise WeightsError(f"{path}: the weights of {name} are missing")
    return paths
