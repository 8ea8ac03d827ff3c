"""Where faces end, told from their crops: the coder, what is learned, and what the product makes of it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_state_builders import made_up_mask_state_tensors
from retinaface_builders import made_up_weights

from models.errors import TrainingError
from models.face_mask_detector import FaceMaskDetector
from models.mask_state.boxes import boxes_of, deltas_of, in_picture
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, NOT_VISIBLE, MaskStateConfig
from models.pictures import ArrayPicture
from models.retinaface.detector import RetinaFaceDetector
from models.training.mask_state_augmentation import (
    BOX_TARGETS,
    BOX_WEIGHT,
    AugmentationConfig,
    augmented_crop,
)
from models.training.mask_state_batches import box_weight_of, training_batches
from models.training.mask_state_cache import CropCache
from models.training.mask_state_examples import FaceExample
from models.training.mask_state_recipe import MaskStateRecipe
from models.weights import save_weights

GEOMETRY = CropGeometry(size_px=96)
PLAIN = AugmentationConfig(scale=(1.0, 1.25), low_resolution=0, blur=0, codec=0, noise=0, grey=0, occlusion=0)
SIDES = st.tuples(*[st.floats(-0.3, 1.2)] * 2, *[st.floats(0.2, 1.2)] * 2)


@given(st.lists(SIDES, min_size=1, max_size=5))
def test_deltas_and_boxes_are_each_others_inverse(rows: list[tuple[float, float, float, float]]) -> None:
    boxes = np.array([[x, y, x + width, y + height] for x, y, width, height in rows], np.float32)
    np.testing.assert_allclose(boxes_of(deltas_of(boxes, GEOMETRY), GEOMETRY), boxes, atol=1e-4)


@given(st.floats(80, 300), st.floats(-50, 500), st.floats(-50, 500))
def test_no_delta_means_the_box_that_was_cut_around(side: float, x: float, y: float) -> None:
    # a square face of a size from which on the context stays the same
    box = np.array([x, y, x + side, y + side], np.float32)
    told = in_picture(boxes_of(np.zeros((1, 4)), GEOMETRY), [GEOMETRY.square_xyxy(box)])[0]
    # squares are cut at whole pixels
    np.testing.assert_allclose(told, box, atol=2)


@settings(max_examples=60)
@given(st.integers(0, 2**31), st.floats(40, 80), st.floats(40, 80))
def test_the_learned_box_is_where_the_face_lies_in_the_crop(seed: int, width: float, height: float) -> None:
    region = np.zeros((480, 480, 3), np.uint8)
    box = np.array([240 - width / 2, 240 - height / 2, 240 + width / 2, 240 + height / 2], np.float32)
    cv2.ellipse(
        region,
        tuple(round(239.5 * 16) for _ in range(2)),
        (round(width * 8), round(height * 8)),
        *(0, 0, 360),
        (255, 255, 255),
        -1,
        shift=4,
    )
    crop, targets = augmented_crop(
        region, box, 0, box_weight=0.5, geometry=GEOMETRY, config=PLAIN, rng=np.random.default_rng(seed)
    )
    bright = crop.max(2) > (int(crop.max()) + int(crop.min())) / 2
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 96
    told = boxes_of(targets[None, BOX_TARGETS], GEOMETRY)[0].clip(0, 1)
    np.testing.assert_allclose(told, seen, atol=2.5 / 96)
    assert targets[BOX_WEIGHT] == 0.5


def test_boxes_of_the_named_sources_teach_where_there_is_a_face() -> None:
    face = FaceExample(Path("a.png"), (10.0, 10.0, 50.0, 50.0), 0, "first")
    examples = [
        face,
        replace(face, source="second"),
        replace(face, label=NOT_VISIBLE),
        replace(face, label=2),
    ]
    cache = cache_of(examples)
    assert [box_weight_of(cache, i, ["first", "third"]) for i in range(4)] == [1, 0, 0, 1]
    assert [box_weight_of(cache, i, []) for i in range(4)] == [0, 0, 0, 0]
    for number, expected in enumerate((1, 0, 0, 1)):
        _, targets = next(
            training_batches(
                cache,
                weights=np.eye(4)[number],
                geometry=GEOMETRY,
                augmentation=PLAIN,
                box_sources=["first"],
                batch_size=2,
                steps=1,
                seed=0,
            )
        )
        assert targets[:, BOX_WEIGHT].tolist() == [expected] * 2


def cache_of(examples: list[FaceExample]) -> CropCache:
    """Grey pictures of 60 x 60 pixels with the faces of ``examples``."""
    count = len(examples)
    return CropCache(
        pixels=np.full(count * 60 * 60 * 3, 128, np.uint8),
        offsets=np.arange(count, dtype=np.int64) * 60 * 60 * 3,
        hw=np.full((count, 2), 60, np.int32),
        boxes_xyxy=np.array([example.box_xyxy for example in examples], np.float32),
        native_px=np.full(count, 40, np.float32),
        labels=np.array([example.label for example in examples], np.int32),
        kinds=np.array([example.kind for example in examples], np.int32),
        sources=np.array([example.source for example in examples], np.str_),
        held_out=np.zeros(count, np.bool_),
    )


def test_the_product_reports_the_mean_of_the_detectors_boxes_and_the_classifiers(tmp_path: Path) -> None:
    config = MaskStateConfig(size_px=96, backbone="mobilenet_v1", width=0.25, box=True)
    picture = ArrayPicture(np.random.default_rng(3).integers(0, 255, (128, 160, 3)).astype(np.uint8))
    found = {}
    for name in ("plain", "with_box"):
        network = replace(config, box=name == "with_box")
        tensors = made_up_mask_state_tensors(network)
        if network.box:
            # whatever the crop shows: the same deltas
            tensors["box/kernel"] = np.zeros_like(tensors["box/kernel"])
            tensors["box/bias"] = np.array([0.1, -0.05, -0.2, 0.1], np.float32)
        mapping = {"network": network.to_mapping(), "crops": GEOMETRY.to_mapping(), "temperature": 1.0}
        file = tmp_path / f"{name}.safetensors"
        save_weights(file, tensors, architecture=ARCHITECTURE, config=mapping, source="made up")
        detector = FaceMaskDetector(
            RetinaFaceDetector(
                made_up_weights(tmp_path / "faces.safetensors"), score_threshold=0.0, device="cpu"
            ),
            MaskStateClassifier(file, device="cpu"),
        )
        found[name] = detector.detect([picture], (128, 160))[0]
    plain, with_box = found["plain"], found["with_box"]
    assert len(plain.boxes_xyxy) > 0
    fractions = boxes_of(np.array([[0.1, -0.05, -0.2, 0.1]]), GEOMETRY).repeat(len(plain.boxes_xyxy), 0)
    told = in_picture(fractions, [GEOMETRY.square_xyxy(box) for box in plain.boxes_xyxy])
    assert np.abs(told - plain.boxes_xyxy).max() > 2
    np.testing.assert_allclose(with_box.boxes_xyxy, (plain.boxes_xyxy + told) / 2, atol=1e-3)
    assert (with_box.scores == plain.scores).all()


def test_boxes_need_somebody_who_teaches_them() -> None:
    with pytest.raises(TrainingError, match="box_sources"):
        MaskStateRecipe(source="a test", network=MaskStateConfig(box=True))
