"""The whole network: pixels -> pyramid -> proposals -> classes and boxes -> seg_masks.

Shapes: B images; H, W height and width of the input, multiples of 32; D detections of an image; R detections
of all images whose pixels are asked for; K classes, background being 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.anchors import anchors_for
from models.mask_rcnn.backbones import BACKBONES
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.detections import choose_detections
from models.mask_rcnn.head_sides import BOX_SIDE, SEG_MASK_INPUT_SIDE
from models.mask_rcnn.heads import build_box_head, build_mask_head
from models.mask_rcnn.layers import ConvBlocks
from models.mask_rcnn.level_geometry import LevelGeometry
from models.mask_rcnn.proposals import propose
from models.mask_rcnn.pyramid import feature_pyramid
from models.mask_rcnn.roi_align import roi_align
from models.mask_rcnn.rpn import region_proposal_network
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings

#: Mean of ImageNet, R, G, B, as Caffe's networks and Matterport's subtract it.
CAFFE_MEAN_RGB: Final = (123.7, 116.8, 103.9)


@dataclass(frozen=True, slots=True)
class Trunk:
    """What the network knows of whole images: pyramid levels P2 to P6, and the anchors' logits (B, A, 2) and
    deltas (B, A, 4)."""

    levels: Sequence[Any]
    rpn_logits: Any
    rpn_deltas: Any


class MaskRcnn:
    """A Mask R-CNN with untrained weights: three Keras models and what lies between them.

    ``batch_norms``: name of each convolution that has a batch norm behind it, to that batch norm's name.
    """

    def __init__(self, config: MaskRcnnConfig) -> None:
        self.config = config
        blocks = ConvBlocks(folded=config.folded)
        self.trunk = _build_trunk(blocks, config)
        self.box_head = build_box_head(blocks, config.pyramid_channels, config.box_units, config.class_count)
        self.mask_head = build_mask_head(
            blocks, config.pyramid_channels, config.mask_channels, config.class_count
        )
        self.batch_norms = dict(blocks.batch_norms)
        self.strides = _strides(self.trunk)
        self.geometry = LevelGeometry(
            self.strides[:4], config.canonical_px, config.cell_offset, config.corner_aligned
        )

    @property
    def layers(self) -> list[Any]:
        """All layers, in the order of the data; their names are unique."""
        return [layer for model in (self.trunk, self.box_head, self.mask_head) for layer in model.layers]

    def anchors(self, input_hw: tuple[int, int]) -> NDArray[np.float32]:
        """The anchors (A, 4) of an input as (centre x, centre y, width, height)."""
        return anchors_for(
            input_hw,
            strides=self.strides,
            scales_px=self.config.anchor_scales_px,
            ratios=self.config.anchor_ratios,
            cell_offset=self.config.cell_offset,
        )

    def look(self, pixels: Any) -> Trunk:
        """Pixels (B, H, W, 3), RGB, 0 to 255, of any type, to what is known of the whole images."""
        *levels, logits, deltas = self.trunk(keras.ops.cast(pixels, "float32"), training=False)
        return Trunk(levels, _float32(logits), _float32(deltas))

    def propose(self, trunk: Trunk, input_hw: tuple[int, int], settings: ProposalSettings) -> tuple[Any, Any]:
        """Boxes (B, P, 4) that are worth a second look, and whether each row is one (B, P)."""
        anchors = keras.ops.array(self.anchors(input_hw))
        return propose(trunk.rpn_logits, trunk.rpn_deltas, anchors, input_hw, settings)

    def judge_boxes(self, trunk: Trunk, boxes_xyxy: Any, image_ids: Any) -> tuple[Any, Any]:
        """Class logits (R, K) and box deltas (R, K, 4) of boxes (R, 4) of the images ``image_ids`` (R,)."""
        answers = self.box_head(self._aligned(trunk, boxes_xyxy, image_ids, BOX_SIDE), training=False)
        return _float32(answers["class_logits"]), _float32(answers["box_deltas"])

    def segment(self, levels: Sequence[Any], boxes_xyxy: Any, image_ids: Any, class_ids: Any) -> Any:
        """Logits (R, 28, 28), relative to the boxes (R, 4), of the pixels of the class ``class_ids`` (R,)."""
        features = self._aligned(Trunk(levels, None, None), boxes_xyxy, image_ids, SEG_MASK_INPUT_SIDE)
        logits = _float32(self.mask_head(features, training=False))
        return keras.ops.take_along_axis(logits, class_ids[:, None, None, None], axis=-1)[..., 0]

    def find(
        self, pixels: Any, proposals: ProposalSettings, detections: DetectionSettings
    ) -> tuple[Any, Any, Any, list[Any]]:
        """Pixels (B, H, W, 3) to boxes (B, D, 4), scores (B, D), classes (B, D), and the levels for
        ``segment``: all but the pixels, which only what is kept of it is worth."""
        input_hw = (int(pixels.shape[1]), int(pixels.shape[2]))
        trunk = self.look(pixels)
        boxes, valid = self.propose(trunk, input_hw, proposals)
        flat_boxes, image_ids = flattened(boxes)
        logits, deltas = self.judge_boxes(trunk, flat_boxes, image_ids)
        logits = keras.ops.reshape(logits, (-1, proposals.count, self.config.class_count))
        deltas = keras.ops.reshape(deltas, (-1, proposals.count, self.config.class_count, 4))
        found = choose_detections(logits, deltas, boxes, valid, input_hw=input_hw, settings=detections)
        return (*found, list(trunk.levels[:4]))

    def _aligned(self, trunk: Trunk, boxes_xyxy: Any, image_ids: Any, side: int) -> Any:
        return roi_align(
            trunk.levels[:4],
            boxes_xyxy,
            image_ids,
            geometry=self.geometry,
            side=side,
            sampling_points=self.config.sampling_points,
        )


def flattened(boxes: Any) -> tuple[Any, Any]:
    """Boxes (B, N, 4) of images to boxes (B * N, 4) and the image of each, int32 (B * N,)."""
    count = int(boxes.shape[1])
    flat = keras.ops.reshape(boxes, (-1, 4))
    return flat, keras.ops.arange(keras.ops.shape(flat)[0], dtype="int32") // count


def _float32(value: Any) -> Any:
    """What the network answers may be of half precision; boxes and probabilities are not."""
    return keras.ops.cast(value, "float32")


def _build_trunk(blocks: ConvBlocks, config: MaskRcnnConfig) -> keras.Model:
    pictures = keras.Input((None, None, 3), name="pictures", dtype="float32")
    if config.normalisation == "caffe":
        x = pictures - keras.ops.array(CAFFE_MEAN_RGB, "float32")
    else:
        x = pictures / 127.5 - 1.0
    features = BACKBONES[config.backbone](blocks, x, config.width)
    levels = feature_pyramid(blocks, features, config.pyramid_channels)
    logits, deltas = region_proposal_network(levels, config.rpn_channels, len(config.anchor_ratios))
    return keras.Model(pictures, [*levels, logits, deltas], name="trunk")


def _strides(trunk: keras.Model) -> tuple[int, ...]:
    """Input pixels per place of each level, as the layers make it."""
    side = 512
    *levels, _, _ = trunk.compute_output_spec(keras.KerasTensor((1, side, side, 3), "float32"))
    return tuple(side // int(level.shape[1]) for level in levels)
