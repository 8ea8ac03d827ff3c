"""Mask R-CNN ready to run on pictures of any size.

Shapes: B pictures; H, W height and width of the input; N detections of one picture.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError, WeightsError
from models.letterbox import INPUT_MULTIPLE, letterbox_batch
from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.finder import InstanceFinder, Instances
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings, usual_proposals
from models.runtime.choice import Device, Runtime
from models.runtime.session import SessionOptions
from models.structures import Category, Detections, ImageBatch, Picture
from models.weights import load_weights
from models.weights.store import STORE

if TYPE_CHECKING:
    from models.mask_rcnn.network import MaskRcnn

NAME: Final = "maskrcnn"


class InstanceDetector:
    """What an ``InstanceFinder`` of a network of ``config`` finds, in the product's words and in original pixels.

    Categories of the network that are no ``Category`` are left out. Not for several threads at once.
    """

    def __init__(self, finder: InstanceFinder, config: MaskRcnnConfig) -> None:
        self._finder = finder
        self._class_ids = _class_ids(config)

    @property
    def categories(self) -> frozenset[Category]:
        """What it can find."""
        return frozenset(Category(int(class_id)) for class_id in self._class_ids if class_id >= 0)

    def detect_batch(self, batch: ImageBatch) -> list[Detections]:
        """What is in each picture, best first, in original pixels, with ``seg_masks``.

        Raises ``PictureError`` when the batch's sides are no multiples of 32, ``InferenceError`` when the
        network answers with numbers that are not finite.
        """
        _check_input(batch.input_hw)
        found = self._finder.find(batch.pixels) if len(batch) else []
        return [self._detections(batch, index, instances) for index, instances in enumerate(found)]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        _check_input(input_hw)
        self._finder.warm_up(input_hw, batch_sizes)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``models.detector.ForgetsSizes``."""
        self._finder.forget(input_hw)

    def _detections(self, batch: ImageBatch, index: int, found: Instances) -> Detections:
        category_ids = self._class_ids[found.classes]
        known = category_ids >= 0
        return Detections(
            image_hw=(int(batch.image_hw[index][0]), int(batch.image_hw[index][1])),
            boxes_xyxy=batch.boxes_to_image(found.boxes_xyxy[known], index),
            scores=np.clip(found.scores[known], 0, 1),
            class_ids=category_ids[known],
            input_scale=float(batch.scales[index]),
            seg_masks=found.seg_masks[known],
        )


class NetworkMaskRcnn(InstanceDetector):
    """Runs a Keras network that is already there, as training and measuring need it.

    - ``score_threshold``: least probability of a detection, 0 to 1.
    - ``proposals``, ``detections``: how many boxes pass (None: ``usual_proposals``, ``DetectionSettings()``);
      ``detections.score_threshold`` is replaced.
    - ``device``: ``auto`` takes a GPU when there is one; raises ``DeviceError`` when it is not there.

    Weights that the network is given later are used.
    """

    def __init__(
        self,
        network: "MaskRcnn",
        *,
        score_threshold: float = 0.5,
        proposals: ProposalSettings | None = None,
        detections: DetectionSettings | None = None,
        device: Device = "auto",
    ) -> None:
        from models.mask_rcnn.keras_finder import KerasFinder  # noqa: PLC0415 - needs Keras

        limits = replace(detections or DetectionSettings(), score_threshold=score_threshold)
        super().__init__(KerasFinder(network, _chosen(proposals), limits, device=device), network.config)


class MaskRcnnDetector(InstanceDetector):
    """Finds people, heads, hats and masks with the weights of one file: a ``Detector`` (``models.detector``).

    ``runtime`` says what runs it (see ``models.runtime``): ``keras`` on ``device``, or ``openvino`` on the CPU as
    ``options`` say; see ``NetworkMaskRcnn`` for the other arguments. ``digest`` is that of the file,
    ``sha256:<hex>``. ``seg_masks_of``: what pixels are told of, those of others are zeros; None: of everything. Batch
    norms are folded on loading. Raises ``WeightsError`` when the file is not one of a
    Mask R-CNN, ``DeviceError`` when the device is not there, ``ExportError`` when it cannot be exported for OpenVINO.
    """

    def __init__(
        self,
        weights_path: Path,
        *,
        score_threshold: float = 0.5,
        proposals: ProposalSettings | None = None,
        seg_masks_of: Collection[Category] | None = None,
        device: Device = "auto",
        runtime: Runtime = "keras",
        options: SessionOptions | None = None,
    ) -> None:
        chosen = _chosen(proposals)

        def limits_of(config: MaskRcnnConfig) -> DetectionSettings:
            return DetectionSettings(score_threshold, segmented=_segmented(config, seg_masks_of))

        config: MaskRcnnConfig
        finder: InstanceFinder
        if runtime == "openvino":
            from models.mask_rcnn.graph_finder import GraphFinder  # noqa: PLC0415 - needs OpenVINO
            from models.runtime.quantised import export_for  # noqa: PLC0415

            export = export_for(NAME, weights_path, options)
            self.digest = export.weights_digest
            config = MaskRcnnConfig.from_mapping(export.facts["config"], origin=weights_path)
            finder = GraphFinder(export, config, chosen, limits_of(config), options=options)
        else:
            from models.mask_rcnn.keras_finder import KerasFinder, network_of  # noqa: PLC0415 - needs Keras
            from models.networks.half_precision import keras_precision  # noqa: PLC0415

            stored = load_weights(weights_path, architecture=ARCHITECTURE)
            self.digest = stored.digest
            network = network_of(
                stored, origin=weights_path, device=device, precision=keras_precision(options, device)
            )
            config = network.config
            finder = KerasFinder(network, chosen, limits_of(config), device=device)
        super().__init__(finder, config)

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the weights, by the network's name."""
        return MappingProxyType({NAME: self.digest})

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        """What is in each of ``pictures`` (at least one); see ``detect_batch``."""
        return self.detect_batch(letterbox_batch(pictures, input_hw))


def load_mask_rcnn(
    path: Path | None = None,
    *,
    score_threshold: float = 0.5,
    device: Device = "auto",
    runtime: Runtime = "keras",
    options: SessionOptions | None = None,
) -> MaskRcnnDetector:
    """The detector with the weights of ``path``, or with those that ship with the product; see it for the rest.

    Raises ``WeightsError`` when there are none.
    """
    chosen = path or STORE / f"{NAME}.safetensors"
    if not chosen.is_file():
        raise WeightsError(f"{chosen}: the weights of {NAME} are missing")
    return MaskRcnnDetector(
        chosen, score_threshold=score_threshold, device=device, runtime=runtime, options=options
    )


def _chosen(proposals: ProposalSettings | None) -> Callable[[tuple[int, int]], ProposalSettings]:
    return usual_proposals if proposals is None else lambda _input_hw: proposals


def _class_ids(config: MaskRcnnConfig) -> NDArray[np.int32]:
    """``Category`` of each class of the network; -1 for background and for what the product has no word
    for."""
    known = {category.label: int(category) for category in Category}
    return np.array([-1, *(known.get(name, -1) for name in config.categories)], np.int32)


def _segmented(config: MaskRcnnConfig, wanted: Collection[Category] | None) -> frozenset[int] | None:
    """The classes of the network that are ``wanted``; None: all."""
    if wanted is None:
        return None
    return frozenset(np.flatnonzero(np.isin(_class_ids(config), list(wanted))).tolist())


def _check_input(input_hw: tuple[int, int]) -> None:
    if min(input_hw) <= 0 or any(side % INPUT_MULTIPLE for side in input_hw):
        raise PictureError(f"the network's input must be a multiple of {INPUT_MULTIPLE}, not {input_hw}")
