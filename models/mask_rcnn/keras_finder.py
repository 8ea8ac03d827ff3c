"""Mask R-CNN in Keras, whole in the graph, on whatever processor it runs.

Shapes: B pictures; H, W height and width of the input; D detections kept on the device per picture; R detections of
all pictures above the threshold.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.finder import Instances
from models.mask_rcnn.folding import fold_batch_norms
from models.mask_rcnn.head_sides import SEG_MASK_SIDE
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.networks.compiled import CompiledFunction, batch_buckets, fetched, resolved_device
from models.networks.half_precision import KerasPrecision, computing_in
from models.runtime.choice import Device
from models.weights import StoredWeights
from models.weights.keras_variables import assign_tensors

#: Counts that are compiled where each costs a compilation; others are padded to the next one.
_SEG_MASK_BUCKETS: Final = (8, 32, 128)


class KerasFinder:
    """An ``InstanceFinder`` of a Keras network; weights that it is given later are used. ``proposals`` says how many
    come through of an input (H, W).

    Raises ``DeviceError`` when ``device`` is not there.
    """

    def __init__(
        self,
        network: MaskRcnn,
        proposals: Callable[[tuple[int, int]], ProposalSettings],
        detections: DetectionSettings,
        *,
        device: Device = "auto",
    ) -> None:
        device_name = resolved_device(device)
        self._detections = detections
        self._picture_buckets = batch_buckets(device_name)
        self._find = CompiledFunction(
            lambda pixels: network.find(pixels, proposals((pixels.shape[1], pixels.shape[2])), detections),
            device_name,
            self._picture_buckets,
        )
        self._segment = CompiledFunction(
            lambda boxes, image_ids, class_ids, *levels: keras.ops.sigmoid(
                network.segment(levels, boxes, image_ids, class_ids)
            ),
            device_name,
            _SEG_MASK_BUCKETS,
            batched=3,
        )

    def find(self, pixels: NDArray[np.uint8]) -> Sequence[Instances]:
        """See ``InstanceFinder``."""
        found: list[Instances] = []
        largest = self._picture_buckets[-1]
        for start in range(0, len(pixels), largest):
            found += self._turn(pixels[start : start + largest])
        return found

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Compile for an input size, so that the first real batch is as fast as the others."""
        for size in sorted({min(size, self._picture_buckets[-1]) for size in batch_sizes}):
            *_, levels = self._find(np.zeros((size, *input_hw, 3), np.uint8))
            for count in _SEG_MASK_BUCKETS if self._segment.pads else _SEG_MASK_BUCKETS[:1]:
                boxes = np.tile(np.array([0, 0, 16, 16], np.float32), (count, 1))
                self._segment(boxes, np.zeros(count, np.int32), np.ones(count, np.int32), *levels)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``InstanceFinder``. The small head that tells pixels stays."""
        self._find.forget(input_hw)

    def _turn(self, pixels: NDArray[np.uint8]) -> list[Instances]:
        boxes, scores, classes, levels = self._find(pixels)
        # what was padded has no detections that are asked for
        boxes, scores, classes = (value[: len(pixels)] for value in fetched((boxes, scores, classes)))
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            raise InferenceError("Mask R-CNN answered with numbers that are not finite")
        side = boxes[..., 2:] - boxes[..., :2]
        image_ids, rows = np.nonzero((scores >= self._detections.score_threshold) & (side.min(-1) > 0))
        boxes, scores, classes = (value[image_ids, rows] for value in (boxes, scores, classes))
        seg_masks = np.zeros((len(boxes), SEG_MASK_SIDE, SEG_MASK_SIDE), np.float32)
        (told,) = np.nonzero(self._detections.has_pixels(classes))
        seg_masks[told] = self._seg_masks(boxes[told], image_ids[told], classes[told], levels)
        return [
            Instances(boxes[chosen], scores[chosen], classes[chosen], seg_masks[chosen])
            for chosen in (image_ids == index for index in range(len(pixels)))
        ]

    def _seg_masks(
        self, boxes: NDArray[np.float32], image_ids: NDArray[Any], classes: NDArray[Any], levels: list[Any]
    ) -> NDArray[np.float32]:
        if not len(boxes):
            return np.zeros((0, SEG_MASK_SIDE, SEG_MASK_SIDE), np.float32)
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
            [turn[:count] for turn, count in zip(fetched(turns), counts, strict=True)]
        ).astype(np.float32)


def network_of(
    stored: StoredWeights, *, origin: Path, device: Device = "auto", precision: KerasPrecision = "f32"
) -> MaskRcnn:
    """The network of a weights file, its batch norms folded. Raises ``WeightsError`` (naming ``origin``) when the file
    is not one of a Mask R-CNN, ``DeviceError`` when the device is not there."""
    config = MaskRcnnConfig.from_mapping(stored.config, origin=origin)
    config, tensors = fold_batch_norms(config, stored.tensors, origin=origin)
    with keras.device(resolved_device(device)), computing_in(precision):
        network = MaskRcnn(config)
        assign_tensors(network, tensors, origin=origin)
    return network
