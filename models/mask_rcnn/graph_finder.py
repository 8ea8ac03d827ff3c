"""Mask R-CNN as exported graphs: the trunk over the picture, and two heads over boxes, with the stages between them on
the host.

Shapes: B pictures, one at a time; h, w height and width of a level; C channels; P proposals; N instances; R boxes of
one call of a head; K classes, background being 0.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import InferenceError
from models.mask_rcnn.anchors import anchors_for
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.finder import Instances
from models.mask_rcnn.head_sides import SEG_MASK_SIDE
from models.mask_rcnn.host_stages import best_proposals, chosen_detections
from models.mask_rcnn.level_geometry import LevelGeometry, suiting_levels
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.networks.logistic import sigmoid
from models.runtime.export_files import Export
from models.runtime.session import Session, SessionOptions, SizedSessions

#: The graphs of an export. Trunk: ``pixels`` uint8 (1, H, W, 3) to ``LEVELS`` (1, C, h, w), ``RPN_OUTPUTS`` (1, A, 2)
#: and (1, A, 4). Heads: ``LEVELS``, and ``BOXES`` (any, 4), the boxes of each level, to their outputs, those of
#: ``MaskRcnn``'s heads, in the order of the levels.
TRUNK: Final = "trunk"
BOX_HEAD: Final = "box_head"
MASK_HEAD: Final = "mask_head"
LEVELS: Final = ("p2", "p3", "p4", "p5")
BOXES: Final = tuple(f"boxes_{level}" for level in LEVELS)
RPN_OUTPUTS: Final = ("rpn_logits", "rpn_deltas")
BOX_OUTPUTS: Final = ("class_logits", "box_deltas")
MASK_OUTPUT: Final = "seg_logits"

#: Boxes are filled up to multiples of these, for each count that comes up for the first time takes time to prepare;
#: and what a call of the mask head takes at most.
_BOX_STEP: Final = 50
_MASK_STEP: Final = 8
_MOST_MASKS: Final = 32


class GraphFinder:
    """An ``InstanceFinder`` of an export; ``proposals`` says how many come through of an input (H, W)."""

    def __init__(
        self,
        export: Export,
        config: MaskRcnnConfig,
        proposals: Callable[[tuple[int, int]], ProposalSettings],
        detections: DetectionSettings,
        *,
        options: SessionOptions | None = None,
    ) -> None:
        self._config = config
        self._proposals = proposals
        self._detections = detections
        self._strides = tuple(export.facts["strides"])
        self._geometry = LevelGeometry(self._strides[:4], config.canonical_px, config.cell_offset)
        self._trunks = SizedSessions(export.graphs[TRUNK], options)
        self._box_head = Session(export.graphs[BOX_HEAD], options)
        self._mask_head = Session(export.graphs[MASK_HEAD], options)

    def find(self, pixels: NDArray[np.uint8]) -> Sequence[Instances]:
        """See ``InstanceFinder``."""
        return [self._look(pixels[row : row + 1]) for row in range(len(pixels))]

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:  # noqa: ARG002 - one by one
        """Compile for an input size, and the heads for their usual numbers of boxes."""
        self._trunks.announce(input_hw)
        trunk = self._trunks.at(input_hw)
        some = np.tile(np.array([0, 0, 16, 16], np.float32), (self._proposals(input_hw).count, 1))
        self._boxes_judged(trunk, some)
        self._segmented(trunk, some[:1])

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``InstanceFinder``."""
        self._trunks.forget(input_hw)

    def _look(self, pixels: NDArray[np.uint8]) -> Instances:
        input_hw = pixels.shape[1], pixels.shape[2]
        trunk = self._trunks.at(input_hw)
        seen = trunk.run(pixels=pixels)
        logits, deltas = (seen[name][0] for name in RPN_OUTPUTS)
        _check_finite(logits, deltas)
        proposals = best_proposals(
            logits, deltas, self._anchors(input_hw), input_hw, self._proposals(input_hw)
        )
        class_logits, box_deltas = self._boxes_judged(trunk, proposals)
        _check_finite(class_logits, box_deltas)
        boxes, scores, classes = chosen_detections(
            class_logits, box_deltas, proposals, input_hw, self._detections
        )
        seg_masks = np.zeros((len(boxes), SEG_MASK_SIDE, SEG_MASK_SIDE), np.float32)
        (rows,) = np.nonzero(self._detections.has_pixels(classes))
        seg_logits = self._segmented(trunk, boxes[rows])
        seg_masks[rows] = sigmoid(seg_logits[np.arange(len(rows)), :, :, classes[rows]])
        return Instances(boxes, scores, classes, seg_masks)

    def _anchors(self, input_hw: tuple[int, int]) -> NDArray[np.float32]:
        return anchors_for(
            input_hw,
            strides=self._strides,
            scales_px=self._config.anchor_scales_px,
            ratios=self._config.anchor_ratios,
            cell_offset=self._config.cell_offset,
        )

    def _boxes_judged(self, trunk: Session, boxes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What the box head says of boxes (R, 4) of the picture that the trunk has looked at."""
        return self._asked(self._box_head, trunk, boxes, _BOX_STEP, BOX_OUTPUTS)

    def _segmented(self, trunk: Session, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (R, 28, 28, K) of the pixels of boxes (R, 4); R may be 0."""
        turns = [
            self._asked(
                self._mask_head, trunk, boxes[start : start + _MOST_MASKS], _MASK_STEP, (MASK_OUTPUT,)
            )
            for start in range(0, len(boxes), _MOST_MASKS)
        ]
        empty = np.zeros((0, SEG_MASK_SIDE, SEG_MASK_SIDE, self._config.class_count), np.float32)
        return np.concatenate([empty, *(turn[0] for turn in turns)])

    def _asked(
        self, head: Session, trunk: Session, boxes: NDArray[np.float32], step: int, outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """What a head says of boxes (R, 4), by output, in their order."""
        filled = np.zeros((max(1, -(-len(boxes) // step)) * step, 4), np.float32)
        filled[: len(boxes)] = boxes
        order = np.argsort(suiting_levels(filled, self._geometry), kind="stable")
        said = head.run(
            **{name: trunk.output(name) for name in LEVELS}, **by_level(filled[order], self._geometry)
        )
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return [said[name][back[: len(boxes)]] for name in outputs]


def by_level(boxes: NDArray[np.float32], geometry: LevelGeometry) -> dict[str, NDArray[np.float32]]:
    """Boxes (R, 4), sorted by the levels that suit them, as inputs of the heads."""
    starts = np.searchsorted(suiting_levels(boxes, geometry), np.arange(1, len(BOXES)))
    return dict(zip(BOXES, np.split(boxes, starts), strict=True))


def _check_finite(*answers: NDArray[np.float32]) -> None:
    if not all(np.isfinite(answer).all() for answer in answers):
        raise InferenceError("Mask R-CNN answered with numbers that are not finite")
