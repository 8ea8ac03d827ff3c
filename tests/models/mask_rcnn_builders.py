"""Small networks with made-up weights, and pictures of coloured heads, for the tests of Mask R-CNN."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.network import MaskRcnn
from models.training.mask_rcnn.canvas import SEG_MASK_SIDE, Canvas
from models.weights.keras_variables import assign_tensors, named_variables

TINY = MaskRcnnConfig(
    categories=("hard_hat", "bare_head"),
    backbone="mobilenet_v2",
    width=0.35,
    normalisation="tf",
    pyramid_channels=16,
    rpn_channels=16,
    box_units=32,
    mask_channels=16,
    anchor_scales_px=(8, 16, 32, 64, 128),
    canonical_px=64,
    cell_offset=0.5,
)


def made_up_tensors(network: MaskRcnn, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Plausible weights for every layer: what passes through stays of order one, and answers differ."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, variable in named_variables(network).items():
        shape = tuple(variable.shape)
        kind = name.rsplit("/", 1)[1]
        if kind == "kernel":
            depthwise = len(shape) == 4 and shape[3] == 1
            fan_in = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
            value = rng.normal(0, np.sqrt(2 / fan_in), shape)
        elif kind in {"gamma", "moving_variance"}:
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.1, shape)
        tensors[name] = value.astype(np.float32)
    return tensors


def made_up_network(config: MaskRcnnConfig = TINY, seed: int = 0, **changes: object) -> MaskRcnn:
    """A network of ``config`` with made-up weights."""
    network = MaskRcnn(replace(config, **changes))
    assign_tensors(network, made_up_tensors(network, seed), origin="made up")
    return network


def drawn_canvas(seed: int, side_px: int = 128) -> Canvas:
    """Some round heads on noise: bare ones are one colour, helmeted ones have a bright upper half, which
    their pixel label covers."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 120, (side_px, side_px, 3), dtype=np.uint8)
    boxes, admissible, seg_masks = [], [], []
    corners = [(4, 4), (68, 6), (6, 70), (66, 68)]
    for x, y in [corners[index] for index in rng.permutation(4)[: int(rng.integers(2, 4))]]:
        side = int(rng.integers(28, 52))
        has_hat = bool(rng.random() < 0.5)
        centre = (x + side // 2, y + side // 2)
        cv2.circle(pixels, centre, side // 2, (170, 120, 100), -1)
        label = np.zeros((SEG_MASK_SIDE, SEG_MASK_SIDE), np.uint8)
        if has_hat:
            cv2.ellipse(pixels, centre, (side // 2, side // 2), 0, 180, 360, (250, 230, 30), -1)
            label[: SEG_MASK_SIDE // 2] = 1
        boxes.append((x, y, x + side, y + side))
        admissible.append((has_hat, not has_hat))
        seg_masks.append(label)
    return Canvas(
        pixels=pixels,
        boxes_xyxy=np.array(boxes, np.float32),
        admissible=np.array(admissible),
        seg_masks=np.array(seg_masks),
        has_seg_mask=np.array(admissible)[:, 0],
        ignored_xyxy=np.zeros((0, 4), np.float32),
        labelled=np.ones(2, np.bool_),
    )
