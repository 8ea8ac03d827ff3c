"""Mask R-CNN ready to run on pictures of any size.

Shapes: B pictures; H, W height and width of the input; D detections kept on the device per picture;
R detections of all pictures above the threshold; N detections of one picture.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError, PictureError, WeightsError
from models.letterbox import INPUT_MULTIPLE, letterbox_batch
from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.detections import DetectionSettings
from models.mask_rcnn.folding import fold_batch_norms
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.proposals import ProposalSettings
from models.networks.compiled import CompiledFunction, Device, resolved_device
from models.structures import Category, Detections, ImageBatch, Picture
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors
from models.weights.store import STORE

#: Counts that are compiled where each costs a compilation; others are padded to the next one.
_PICTURE_BUCKETS: Final = (1, 2, 4, 8)
_SEG_MASK_BUCKETS: Final = (8, 32, 128)

NAME: Final = "maskrcnn"


class NetworkMaskRcnn:
    """Runs a network that is already there, as training and measuring need it.

    - ``score_threshold``: least probability of a detection, 0 to 1.
    - ``proposals``, ``detections``: how many boxes pass; ``detections.score_threshold`` is replaced.
    - ``device``: ``auto`` takes a GPU when there is one; raises ``DeviceError`` when it is not there.

    Categories of the network that are no ``Category`` are left out. Weights that the network is given later
    are used. Not for several threads at once.
    """

    def __init__(
        self,
        network: MaskRcnn,
        *,
        score_threshold: float = 0.5,
        proposals: ProposalSettings | None = None,
        detections: DetectionSettings | None = None,
        device: Device = "auto",
    ) -> None:
        self._class_ids = _class_ids(network.config)
        self._device = resolved_device(device)
        limits = detections or DetectionSettings()
        self._limits = DetectionSettings(
            score_threshold, limits.iou_threshold, limits.candidates, limits.count
        )
        chosen = proposals or ProposalSettings()
        self._find = CompiledFunction(
            lambda pixels: network.find(pixels, chosen, self._limits), self._device, _PICTURE_BUCKETS
        )
        self._segment = CompiledFunction(
            lambda boxes, image_ids, class_ids, *levels: keras.ops.sigmoid(
                network.segment(levels, boxes, image_ids, class_ids)
            ),
            self._device,
            _SEG_MASK_BUCKETS,
            batched=3,
        )

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
        found: list[Detections] = []
        largest = _PICTURE_BUCKETS[-1]
        for start in range(0, len(batch), largest):
            pixels = batch.pixels[start : start + largest]
            found += self._turn(batch, pixels, start)
        return found

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        _check_input(input_hw)
        for size in sorted({min(size, _PICTURE_BUCKETS[-1]) for size in batch_sizes}):
            *_, levels = self._find(np.zeros((size, *input_hw, 3), np.uint8))
            for count in _SEG_MASK_BUCKETS if self._segment.pads else _SEG_MASK_BUCKETS[:1]:
                boxes = np.tile(np.array([0, 0, 16, 16], np.float32), (count, 1))
                self._segment(boxes, np.zeros(count, np.int32), np.ones(count, np.int32), *levels)

    def _turn(self, batch: ImageBatch, pixels: NDArray[np.uint8], start: int) -> list[Detections]:
        boxes, scores, classes, levels = self._find(pixels)
        # what was padded has no detections that are asked for
        boxes, scores, classes = (np.asarray(value)[: len(pixels)] for value in (boxes, scores, classes))
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            raise InferenceError("Mask R-CNN answered with numbers that are not finite")
        side = boxes[..., 2:] - boxes[..., :2]
        image_ids, rows = np.nonzero((scores >= self._limits.score_threshold) & (side.min(-1) > 0))
        seg_masks = self._seg_masks(boxes[image_ids, rows], image_ids, classes[image_ids, rows], levels)
        category_ids = self._class_ids[classes[image_ids, rows]]
        turned: list[Detections] = []
        for index in range(len(pixels)):
            chosen = (image_ids == index) & (category_ids >= 0)
            turned.append(
                Detections(
                    image_hw=(int(batch.image_hw[start + index][0]), int(batch.image_hw[start + index][1])),
                    boxes_xyxy=batch.boxes_to_image(boxes[index, rows[chosen]], start + index),
                    scores=np.clip(scores[index, rows[chosen]], 0, 1),
                    class_ids=category_ids[chosen],
                    input_scale=float(batch.scales[start + index]),
                    seg_masks=seg_masks[chosen],
                )
            )
        return turned

    def _seg_masks(
        self, boxes: NDArray[np.float32], image_ids: NDArray[Any], classes: NDArray[Any], levels: list[Any]
    ) -> NDArray[np.float32]:
        if not len(boxes):
            return np.zeros((0, 28, 28), np.float32)
        largest = _SEG_MASK_BUCKETS[-1]
        turns = [
            self._segment(
                boxes[start : start + largest],
                image_ids[start : start + largest].astype(np.int32),
                classes[start : start + largest].astype(np.int32),
                *levels,
            )
            for start in range(0, len(boxes), largest)
        ]
        counts = [min(largest, len(boxes) - start) for start in range(0, len(boxes), largest)]
        return np.concatenate(
            [np.asarray(turn)[:count] for turn, count in zip(turns, counts, strict=True)]
        ).astype(np.float32)


class MaskRcnnDetector(NetworkMaskRcnn):
    """Finds people, heads, hats and masks with the weights of one file: a ``Detector`` (``models.detector``).

    ``digest`` is that of the file, ``sha256:<hex>``. Batch norms are folded on loading. Raises
    ``WeightsError`` when the file is not one of a Mask R-CNN, ``DeviceError`` when the device is not there.
    """

    def __init__(
        self,
        weights_path: Path,
        *,
        score_threshold: float = 0.5,
        proposals: ProposalSettings | None = None,
        device: Device = "auto",
    ) -> None:
        stored = load_weights(weights_path, architecture=ARCHITECTURE)
        config = MaskRcnnConfig.from_mapping(stored.config, origin=weights_path)
        config, tensors = fold_batch_norms(config, stored.tensors, origin=weights_path)
        with keras.device(resolved_device(device)):
            network = MaskRcnn(config)
            assign_tensors(network, tensors, origin=weights_path)
        self.digest = stored.digest
        super().__init__(network, score_threshold=score_threshold, proposals=proposals, device=device)

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the weights, by the network's name."""
        return MappingProxyType({NAME: self.digest})

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        """What is in each of ``pictures`` (at least one); see ``detect_batch``."""
        return self.detect_batch(letterbox_batch(pictures, input_hw))


def load_mask_rcnn(
    path: Path | None = None, *, score_threshold: float = 0.5, device: Device = "auto"
) -> MaskRcnnDetector:
    """The detector with the weights of ``path``, or with those that ship with the product.

    Raises ``WeightsError`` when there are none.
    """
    chosen = path or STORE / f"{NAME}.safetensors"
    if not chosen.is_file():
        raise WeightsError(f"{chosen}: the weights of {NAME} are missing")
    return MaskRcnnDetector(chosen, score_threshold=score_threshold, device=device)


def _class_ids(config: MaskRcnnConfig) -> NDArray[np.int32]:
    """``Category`` of each class of the network; -1 for background and for what the product has no word
    for."""
    known = {category.label: int(category) for category in Category}
    return np.array([-1, *(known.get(name, -1) for name in config.categories)], np.int32)


def _check_input(input_hw: tuple[int, int]) -> None:
    if min(input_hw) <= 0 or any(side % INPUT_MULTIPLE for side in input_hw):
        raise PictureError(f"the network's input must be a multiple of {INPUT_MULTIPLE}, not {input_hw}")
