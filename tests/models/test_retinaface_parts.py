"""Anchors, deltas, suppression and folding."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retinaface_builders import made_up_tensors

from models.errors import PictureError, WeightsError
from models.networks.boxes import (
    box_coverage,
    box_iou,
    encode_boxes,
    encode_landmarks,
)
from models.networks.graph_boxes import decode_boxes, decode_landmarks
from models.networks.suppression import suppress
from models.retinaface.anchors import anchors_for
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.faces import Faces
from models.retinaface.folding import fold_batch_norms
from models.retinaface.network import batch_norms_of, build_retinaface
from models.weights.keras_variables import assign_tensors

coordinate = st.floats(-2000, 2000, width=32)
side = st.floats(1, 1000, width=32)
boxes_strategy = st.lists(st.tuples(coordinate, coordinate, side, side), min_size=1, max_size=12)


def boxes_of(rows: list[tuple[float, float, float, float]]) -> np.ndarray:
    array = np.array(rows, np.float32).reshape(-1, 4)
    return np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1)


@pytest.mark.parametrize(("input_hw", "count"), [((640, 640), 16800), ((736, 1280), 38640), ((32, 32), 42)])
def test_anchor_counts_as_published(input_hw: tuple[int, int], count: int) -> None:
    anchors = anchors_for(input_hw)
    assert anchors.shape == (count, 4)
    assert not anchors.flags.writeable


def test_anchor_order_as_published() -> None:
    anchors = anchors_for((64, 96))
    np.testing.assert_array_equal(anchors[:3], [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]])
    row = 2 * 96 // 8
    np.testing.assert_array_equal(anchors[row], [4, 12, 16, 16])
    second_level = 2 * (64 // 8) * (96 // 8)
    np.testing.assert_array_equal(anchors[second_level + 1], [8, 8, 128, 128])
    np.testing.assert_array_equal(anchors[-1], [80, 48, 512, 512])


@pytest.mark.parametrize("input_hw", [(640, 641), (0, 64), (100, 64), (-32, 64)])
def test_other_sizes_are_refused(input_hw: tuple[int, int]) -> None:
    with pytest.raises(PictureError):
        anchors_for(input_hw)


@settings(deadline=None, max_examples=40)
@given(rows=boxes_strategy, seed=st.integers(0, 1000))
def test_boxes_come_back(rows: list[tuple[float, float, float, float]], seed: int) -> None:
    boxes = boxes_of(rows)
    anchors = anchors_for((640, 640))[np.random.default_rng(seed).integers(0, 16800, len(boxes))]
    back = np.asarray(decode_boxes(keras.ops.array(encode_boxes(boxes, anchors)), keras.ops.array(anchors)))
    np.testing.assert_allclose(back, boxes, atol=0.05, rtol=1e-4)


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(*[coordinate] * 10), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_landmarks_come_back(rows: list[tuple[float, ...]], seed: int) -> None:
    points = np.array(rows, np.float32).reshape(-1, 5, 2)
    anchors = anchors_for((640, 640))[np.random.default_rng(seed).integers(0, 16800, len(points))]
    deltas = keras.ops.array(encode_landmarks(points, anchors))
    np.testing.assert_allclose(
        np.asarray(decode_landmarks(deltas, keras.ops.array(anchors))), points, atol=0.02, rtol=1e-4
    )


def test_deltas_as_published() -> None:
    # SSD's encoding by hand: centre moved by a tenth of the side, side grown by e^0.2
    anchor = np.array([[100, 200, 32, 32]], np.float32)
    box = np.asarray(decode_boxes(np.array([[1, 0, 1, 0]], np.float32), anchor))[0]
    grown = 32 * np.exp(0.2)
    np.testing.assert_allclose(box, [103.2 - grown / 2, 184, 103.2 + grown / 2, 216], rtol=1e-5)


def test_untrained_sides_do_not_overflow() -> None:
    box = decode_boxes(np.full((1, 4), 1e6, np.float32), np.array([[4, 4, 16, 16]], np.float32))
    assert np.isfinite(np.asarray(box)).all()


@given(first=boxes_strategy, second=boxes_strategy)
def test_iou_is_what_its_definition_says(first: list, second: list) -> None:
    a, b = boxes_of(first).astype(np.float64), boxes_of(second).astype(np.float64)
    overlaps, covered = box_iou(a, b), box_coverage(a, b)
    for i in range(len(a)):
        for j in range(len(b)):
            w = max(0.0, min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0]))
            h = max(0.0, min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1]))
            area_a = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1])
            area_b = (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1])
            assert overlaps[i, j] == pytest.approx(w * h / (area_a + area_b - w * h), abs=1e-5)
            assert covered[i, j] == pytest.approx(w * h / area_a, abs=1e-5)


def test_empty_boxes_overlap_nothing() -> None:
    empty = np.array([[5, 5, 5, 5]], np.float32)
    assert box_iou(empty, empty)[0, 0] == 0
    assert box_coverage(empty, empty)[0, 0] == 0
    assert box_iou(np.zeros((0, 4), np.float32), empty).shape == (0, 1)


@settings(max_examples=60)
@given(rows=boxes_strategy, data=st.data(), iou=st.floats(0.1, 0.9))
def test_suppression(rows: list[tuple[float, float, float, float]], data: st.DataObject, iou: float) -> None:
    boxes = boxes_of(rows)
    scores = np.array(
        data.draw(st.lists(st.floats(0, 1, width=32), min_size=len(boxes), max_size=len(boxes))), np.float32
    )
    kept = suppress(boxes, scores, iou_threshold=iou, max_kept=100)
    overlaps = box_iou(boxes, boxes)
    assert (np.diff(scores[kept]) <= 0).all()
    for i, row in enumerate(kept):
        assert all(overlaps[row, other] <= iou for other in kept[i + 1 :])
    for row in set(range(len(boxes))) - set(kept.tolist()):
        assert any(overlaps[row, other] > iou and scores[other] >= scores[row] for other in kept)
    np.testing.assert_array_equal(suppress(boxes, scores, iou_threshold=iou, max_kept=1), kept[:1])


def test_folding_keeps_the_function() -> None:
    config = RetinaFaceConfig()
    tensors = made_up_tensors(config)
    folded_config, folded = fold_batch_norms(config, tensors, origin="w")
    assert folded_config == RetinaFaceConfig(folded=True)
    plain_network, folded_network = build_retinaface(config), build_retinaface(folded_config)
    assign_tensors(plain_network, tensors, origin="w")
    assign_tensors(folded_network, folded, origin="w")
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype(np.float32)
    expected, got = plain_network(pixels, training=False), folded_network(pixels, training=False)
    for name in expected:
        scale = np.abs(np.asarray(expected[name])).max()
        assert scale > 0
        np.testing.assert_allclose(np.asarray(got[name]), np.asarray(expected[name]), atol=1e-5 * scale)
    again_config, again = fold_batch_norms(folded_config, folded, origin="w")
    assert again_config == folded_config
    assert all((again[name] == folded[name]).all() for name in folded)


@pytest.mark.parametrize("backbone", ["mobilenet0.25", "resnet50"])
def test_every_batch_norm_is_known_to_the_folding(backbone: str) -> None:
    config = RetinaFaceConfig(backbone=backbone)
    layers = build_retinaface(config).layers
    norms = {layer.name for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    pairs = batch_norms_of(config)
    assert set(pairs.values()) == norms
    assert set(pairs) <= {layer.name for layer in layers}


def test_folding_names_what_is_missing() -> None:
    tensors = made_up_tensors(RetinaFaceConfig())
    del tensors["ssh2.conv3X3.1/beta"]
    with pytest.raises(WeightsError, match=r"ssh2\.conv3X3\.1/beta"):
        fold_batch_norms(RetinaFaceConfig(), tensors, origin="w")


def test_configs_come_back_and_others_are_refused() -> None:
    config = RetinaFaceConfig(backbone="resnet50", folded=True)
    assert RetinaFaceConfig.from_mapping(config.to_mapping(), origin="w") == config
    for wrong in ({}, {"backbone": "vgg", "folded": True}, {"backbone": "resnet50", "folded": 1, "x": 2}):
        with pytest.raises(WeightsError):
            RetinaFaceConfig.from_mapping(wrong, origin="w")


def test_faces_are_checked() -> None:
    faces = Faces(np.zeros((2, 4)), np.array([0.9, 0.8]), np.zeros((2, 5, 2)))
    assert len(faces.select(np.array([True, False]))) == 1
    with pytest.raises(ValueError, match="landmarks_xy"):
        Faces(np.zeros((2, 4)), np.zeros(2), np.zeros((1, 5, 2)))
    with pytest.raises(ValueError, match="finite"):
        Faces(np.full((1, 4), np.nan), np.zeros(1), np.zeros((1, 5, 2)))
