"""Which boxes the heads learn from, and what they should say of them; inside the graph.

Shapes: B canvases; P proposals; G things; I ignored regions; R boxes chosen of a canvas; F the first of them,
which lie on things; K classes, background being 0; M side of a box-relative pixel label.
"""

from dataclasses import dataclass
from typing import Any, Final

import keras

from models.mask_rcnn.boxes import deltas_between, pairwise_coverage, pairwise_iou, to_centre
from models.mask_rcnn.roi_align import LevelGeometry, roi_align
from models.training.mask_rcnn.anchor_targets import IGNORED_COVERAGE, IGNORED_PART

#: IoU from which a box shows a thing (Girshick 2015, arXiv:1504.08083, section 2.3).
OBJECT_IOU: Final = 0.5


@dataclass(frozen=True, slots=True)
class RoiSampling:
    """How many boxes of a canvas the heads learn from: ``count`` (R), at most ``objects`` (F) of them on
    things, and ``seg_masks`` of those for the mask head."""

    count: int = 64
    objects: int = 24
    seg_masks: int = 8


@dataclass(frozen=True, slots=True)
class RoiTargets:
    """What the heads should say.

    - ``boxes``: (B, R, 4). ``weights``: (B, R), 0 for rows that are none.
    - ``admissible``: (B, R, K), 1 for the classes that each may be.
    - ``is_object``: (B, R), 1 for boxes that lie on things.
    - ``deltas``: (B, R, 4), to the thing; meaningless where there is none.
    - ``thing``: int32 (B, R), which.
    """

    boxes: Any
    weights: Any
    admissible: Any
    is_object: Any
    deltas: Any
    thing: Any


def roi_targets(
    proposals: Any,
    valid: Any,
    truth: dict[str, Any],
    seeds: keras.random.SeedGenerator,
    sampling: RoiSampling,
) -> RoiTargets:
    """Draw R of the proposals (B, P, 4) and of the things themselves; ``truth`` is a batch of ``batch``.

    On things come first. Boxes mostly inside ignored regions are not drawn, unless they lie on a thing.
    """
    boxes = keras.ops.concatenate([proposals, truth["gt_boxes"]], axis=1)
    usable = keras.ops.concatenate([keras.ops.cast(valid, "float32"), truth["gt_present"]], axis=1)
    overlaps = pairwise_iou(boxes, truth["gt_boxes"]) * truth["gt_present"][:, None, :]
    best = keras.ops.max(overlaps, axis=-1)
    thing = keras.ops.cast(keras.ops.argmax(overlaps, axis=-1), "int32")
    inside = pairwise_coverage(boxes, truth["ignored"]) > IGNORED_COVERAGE
    large = keras.ops.swapaxes(pairwise_coverage(truth["ignored"], boxes), 1, 2) > IGNORED_PART
    ignored = keras.ops.any(keras.ops.logical_and(inside, large), axis=-1)
    on_thing = usable * keras.ops.cast(best >= OBJECT_IOU, "float32")
    nothing = usable * keras.ops.cast(
        keras.ops.logical_and(best < OBJECT_IOU, keras.ops.logical_not(ignored)), "float32"
    )
    chance = keras.random.uniform(keras.ops.shape(best), 0.1, 1.0, seed=seeds)
    first, first_rows = keras.ops.top_k(on_thing * chance, k=sampling.objects)
    second, second_rows = keras.ops.top_k(nothing * chance, k=sampling.count - sampling.objects)
    rows = keras.ops.concatenate([first_rows, second_rows], axis=1)
    weights = keras.ops.cast(keras.ops.concatenate([first, second], axis=1) > 0, "float32")
    is_object = keras.ops.concatenate([keras.ops.ones_like(first), keras.ops.zeros_like(second)], axis=1)
    chosen = keras.ops.take_along_axis(boxes, rows[..., None], axis=1)
    thing = keras.ops.take_along_axis(thing, rows, axis=1)
    of_thing = keras.ops.take_along_axis(truth["gt_admissible"], thing[..., None], axis=1)
    admissible = keras.ops.where(is_object[..., None] > 0, of_thing, truth["background"][:, None, :])
    wanted = keras.ops.take_along_axis(truth["gt_boxes"], thing[..., None], axis=1)
    return RoiTargets(
        boxes=keras.ops.stop_gradient(chosen),
        weights=weights,
        admissible=admissible,
        is_object=is_object * weights,
        deltas=keras.ops.stop_gradient(deltas_between(wanted, to_centre(chosen))),
        thing=thing,
    )


def seg_mask_rows(targets: RoiTargets, truth: dict[str, Any], sampling: RoiSampling) -> tuple[Any, Any]:
    """The boxes on things with pixel labels that the mask head learns from: rows int32 (B, Q) of the R, and
    whether each is one (B, Q)."""
    labelled = keras.ops.take_along_axis(truth["gt_has_seg_mask"], targets.thing, axis=1)
    found, rows = keras.ops.top_k(labelled * targets.is_object, k=sampling.seg_masks)
    return rows, keras.ops.cast(found > 0, "float32")


def seg_mask_targets(boxes: Any, gt_boxes: Any, gt_seg_masks: Any, side: int) -> Any:
    """Pixel labels (N, M, M) of the things ``gt_boxes`` (N, 4), as each of the boxes (N, 4) sees its own:
    1 or 0, (N, ``side``, ``side``); outside the thing's box there is nothing."""
    length = int(gt_seg_masks.shape[-1])
    sides = keras.ops.maximum(gt_boxes[:, 2:] - gt_boxes[:, :2], 1e-2)
    shift, scale = keras.ops.tile(gt_boxes[:, :2], (1, 2)), length / keras.ops.tile(sides, (1, 2))
    # one place of nothing around: beyond its border the sampling goes on with the border's values
    padded = keras.ops.pad(keras.ops.cast(gt_seg_masks, "float32"), ((0, 0), (1, 1), (1, 1)))
    sampled = roi_align(
        [padded[..., None]],
        (boxes - shift) * scale + 1.0,
        keras.ops.arange(keras.ops.shape(boxes)[0], dtype="int32"),
        geometry=LevelGeometry((1,), cell_offset=0.5),
        side=side,
        sampling_points=2,
    )
    return keras.ops.cast(sampled[..., 0] >= 0.5, "float32")
