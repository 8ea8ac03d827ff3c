"""Mask R-CNN as graphs of OpenVINO, compared with the network in Keras.

RoIAlign is OpenVINO's own: with samples in the middle of their parts of a bin and places in the middle of their pixels
it is ours (``roi_align``) for a cell offset of 0.5. Weights that were trained with another one, or aligned by corners,
stay in Keras.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.errors import ExportError
from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.graph_finder import (
    BOX_HEAD,
    BOX_OUTPUTS,
    BOXES,
    LEVELS,
    MASK_HEAD,
    MASK_OUTPUT,
    RPN_OUTPUTS,
    TRUNK,
    by_level,
)
from models.mask_rcnn.head_sides import BOX_SIDE, SEG_MASK_INPUT_SIDE
from models.mask_rcnn.keras_finder import network_of
from models.mask_rcnn.level_geometry import suiting_levels
from models.mask_rcnn.network import MaskRcnn
from models.networks.boxes import boxes_from_deltas
from models.networks.logistic import sigmoid
from models.runtime.conversion import converted, named_graph
from models.runtime.equality import largest_difference, likely_pictures
from models.runtime.export_files import Export
from models.runtime.openvino_start import load_openvino
from models.runtime.session import Session
from models.weights import load_weights

#: What a head answers to features (R, S, S, C).
_Answer = Callable[[Any], tuple[Any, ...]]

_ASKED_HW: Final = (256, 320)
#: Boxes are compared where they may become proposals: at the best anchors of the picture.
_BEST: Final = 200


def export(weights_path: Path) -> Export:
    """The export of a weights file, not judged yet. Raises ``WeightsError``, ``ExportError``."""
    stored = load_weights(weights_path, architecture=ARCHITECTURE)
    config = MaskRcnnConfig.from_mapping(stored.config, origin=weights_path)
    if config.corner_aligned or config.cell_offset != 0.5:
        raise ExportError(f"{weights_path}: its RoIAlign is not one that OpenVINO has")
    network = network_of(stored, origin=weights_path, device="cpu")
    graphs = {
        TRUNK: _trunk(network),
        BOX_HEAD: _head(network, _box_head(network), BOX_SIDE, BOX_OUTPUTS),
        MASK_HEAD: _head(network, _mask_head(network), SEG_MASK_INPUT_SIDE, (MASK_OUTPUT,)),
    }
    facts = {"config": dict(stored.config), "strides": list(network.strides)}
    return Export("maskrcnn", stored.digest, graphs, facts, _differences(network, graphs))


def _trunk(network: MaskRcnn) -> Any:
    import keras  # noqa: PLC0415 - as all that this module needs it for

    def look(pixels: Any) -> tuple[Any, ...]:
        seen = network.look(pixels)
        # as RoIAlign takes them
        levels = [keras.ops.transpose(level, (0, 3, 1, 2)) for level in seen.levels[: len(LEVELS)]]
        return (*levels, seen.rpn_logits, seen.rpn_deltas)

    return converted(look, {"pixels": ((None, None, None, 3), "uint8")}, (*LEVELS, *RPN_OUTPUTS))


def _box_head(network: MaskRcnn) -> _Answer:
    """The box head with its convolutions as what they are, for they see all of a box at once: matrix products.

    A convolution goes from box to box, which takes several times as long (0.5 of the head's time in all).
    """
    import keras  # noqa: PLC0415 - as all that this module needs it for

    layers = [
        [np.asarray(weight) for weight in network.box_head.get_layer(name).weights]
        for name in ("mrcnn_class_conv1", "mrcnn_class_conv2", "mrcnn_class_logits", "mrcnn_bbox_fc")
    ]
    first, second, classes, boxes = [(kernel.reshape(-1, kernel.shape[-1]), bias) for kernel, bias in layers]

    def answer(features: Any) -> tuple[Any, ...]:
        x = keras.ops.reshape(features, (-1, first[0].shape[0]))
        for kernel, bias in (first, second):
            x = keras.ops.relu(keras.ops.matmul(x, kernel) + bias)
        logits, deltas = (keras.ops.matmul(x, kernel) + bias for kernel, bias in (classes, boxes))
        return logits, keras.ops.reshape(deltas, (-1, network.config.class_count, 4))

    return answer


def _mask_head(network: MaskRcnn) -> _Answer:
    return lambda features: (network.mask_head(features, training=False),)


def _head(network: MaskRcnn, answer: _Answer, side: int, outputs: Sequence[str]) -> Any:
    """A head with RoIAlign before it, of each level with the boxes that are looked at there."""
    channels = network.config.pyramid_channels
    graph = converted(answer, {"features": ((None, side, side, channels), "float32")}, outputs)
    ops = load_openvino().opset15
    levels = [ops.parameter([1, channels, -1, -1], np.float32) for _ in LEVELS]
    boxes = [ops.parameter([-1, 4], np.float32) for _ in BOXES]
    aligned = []
    for level, of_level, stride in zip(levels, boxes, network.geometry.strides, strict=True):
        count = ops.gather(
            ops.shape_of(of_level, output_type="i32"), np.array([0], np.int32), np.array(0, np.int32)
        )
        seen = ops.roi_align(
            level,
            of_level,
            ops.broadcast(np.array(0, np.int32), count),
            pooled_h=side,
            pooled_w=side,
            sampling_ratio=network.config.sampling_points,
            spatial_scale=1.0 / stride,
            mode="avg",
            # its other mode, half_pixel, shifts boxes by half a pixel of the input, not of the level
            aligned_mode="half_pixel_for_nn",
        )
        aligned.append(seen)
    features = ops.transpose(ops.concat(aligned, 0), np.array([0, 2, 3, 1]))
    (taken,) = graph.get_parameters()
    taken.output(0).replace(features.output(0))
    results = [result.input_value(0) for result in graph.get_results()]
    return named_graph(results, [*levels, *boxes], (*LEVELS, *BOXES), outputs)


def _differences(network: MaskRcnn, graphs: dict[str, Any]) -> dict[str, float]:
    """Between the network and its graphs: each is asked about the same boxes."""
    pixels = likely_pictures(_ASKED_HW, 1)
    expected = network.look(pixels)
    trunk = Session(graphs[TRUNK], shapes={"pixels": pixels.shape})
    said = trunk.run(pixels=pixels)
    anchors = network.anchors(_ASKED_HW)
    odds = [_odds(part) for part in (expected.rpn_logits, said["rpn_logits"])]
    best = np.argsort(-odds[0])[:_BEST]
    boxes, others = (
        boxes_from_deltas(np.asarray(deltas)[0][best], anchors[best])
        for deltas in (expected.rpn_deltas, said["rpn_deltas"])
    )
    scores = [largest_difference(*(sigmoid(odd) for odd in odds))]
    apart = [largest_difference(boxes, others)]
    height, width = _ASKED_HW
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    boxes = boxes[np.argsort(suiting_levels(boxes, network.geometry), kind="stable")]
    given = {**{name: trunk.output(name) for name in LEVELS}, **by_level(boxes, network.geometry)}
    image_ids = np.zeros(len(boxes), np.int32)
    logits, deltas = (np.asarray(part) for part in network.judge_boxes(expected, boxes, image_ids))
    heads = Session(graphs[BOX_HEAD]).run(**given)
    scores.append(largest_difference(*(_softmax(part) for part in (logits, heads["class_logits"]))))
    side = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    references = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, side], axis=1)
    masks = Session(graphs[MASK_HEAD]).run(**given)[MASK_OUTPUT]
    for number in range(1, logits.shape[1]):
        pair = (boxes_from_deltas(part[:, number], references) for part in (deltas, heads["box_deltas"]))
        apart.append(largest_difference(*pair))
        class_ids = np.full(len(boxes), number, np.int32)
        wanted = np.asarray(network.segment(expected.levels[:4], boxes, image_ids, class_ids))
        scores.append(largest_difference(*(sigmoid(part) for part in (wanted, masks[..., number]))))
    return {"score": max(scores), "box_px": max(apart)}


def _odds(logits: Any) -> Any:
    rows = np.asarray(logits)[0]
    return rows[:, 1] - rows[:, 0]


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
