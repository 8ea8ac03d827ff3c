"""Both models in one detector: who looks at which picture, and how their detections become one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_rcnn_builders import TINY, made_up_tensors
from mask_state_builders import made_up_mask_state_weights
from retinaface_builders import made_up_weights

from models.combined_detector import CombinedDetector
from models.detector import SelectiveDetector
from models.errors import PictureError, WeightsError
from models.loading import check_weights, installed_models, load_default_detector
from models.mask_rcnn.config import ARCHITECTURE
from models.mask_rcnn.network import MaskRcnn
from models.pictures import ArrayPicture
from models.structures import FACE_CATEGORIES, Category, Detections, ImageBatch
from models.structures.joining import joined
from models.weights import digest_of, save_weights

HW = (64, 96)
BOTH = frozenset({"retinaface", "maskrcnn"})
FACES, GEAR = frozenset({"retinaface"}), frozenset({"maskrcnn"})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    save_weights(
        folder / "maskrcnn.safetensors",
        made_up_tensors(MaskRcnn(TINY)),
        architecture=ARCHITECTURE,
        config=TINY.to_mapping(),
        source="made up",
    )
    return {
        "retinaface": made_up_weights(folder / "retinaface.safetensors"),
        "mask_state": made_up_mask_state_weights(folder / "mask_state.safetensors"),
        "maskrcnn": folder / "maskrcnn.safetensors",
    }


@pytest.fixture(scope="module")
def detector(weights: dict[str, Path]) -> SelectiveDetector:
    return load_default_detector(device="cpu", weights=weights, models=BOTH, score_threshold=0.05)


def pictures(count: int) -> list[ArrayPicture]:
    rng = np.random.default_rng(7)
    return [ArrayPicture(rng.integers(0, 256, (96, 144, 3)).astype(np.uint8)) for _ in range(count)]


def is_face(found: Detections) -> np.ndarray:
    return np.isin(found.class_ids, [int(category) for category in FACE_CATEGORIES])


def test_what_both_see_is_one_answer_in_original_pixels(detector, weights):
    (found,) = detector.detect(pictures(1), HW)
    faces = is_face(found)
    assert faces.any()
    assert not faces.all()
    assert (found.image_hw, found.input_scale) == ((96, 144), pytest.approx(2 / 3))
    assert (np.diff(faces.astype(int)) <= 0).all(), "faces come first"
    assert found.landmarks_xy[faces].any()
    assert not found.landmarks_xy[~faces].any()
    assert not found.seg_masks[faces].any()
    assert found.seg_masks[~faces].any()
    assert (found.sharpness[~faces] == 1).all()
    assert {int(kind) for kind in found.class_ids[~faces]} <= {
        int(Category.HARD_HAT),
        int(Category.BARE_HEAD),
    }
    assert dict(detector.digests) == {name: digest_of(path) for name, path in weights.items()}


def test_each_picture_is_seen_by_its_own_models_and_stays_itself(detector):
    four = pictures(4)
    whole = detector.detect(four, HW)
    chosen = detector.detect(four, HW, [FACES, GEAR, None, frozenset()])
    for found, complete, keep in zip(
        chosen,
        whole,
        (is_face, lambda seen: ~is_face(seen), lambda seen: np.ones(len(seen), bool)),
        strict=False,
    ):
        expected = complete.select(np.flatnonzero(keep(complete)))
        assert len(found) == len(expected) > 0
        np.testing.assert_allclose(found.boxes_xyxy, expected.boxes_xyxy, atol=0.05)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    assert len(chosen[3]) == 0
    assert chosen[3].image_hw == (96, 144)


def test_what_nobody_needs_does_not_run(weights, monkeypatch):
    detector = load_default_detector(device="cpu", weights=weights, models=BOTH)
    counts = {"retinaface": [], "maskrcnn": []}
    for name, model in (("retinaface", detector._faces), ("maskrcnn", detector._gear)):
        real = model.detect_batch

        def counted(batch: ImageBatch, *more, real=real, name=name):
            counts[name].append(len(batch))
            return real(batch, *more)

        monkeypatch.setattr(model, "detect_batch", counted)
    detector.detect(pictures(3), HW, [FACES] * 3)
    assert counts == {"retinaface": [3], "maskrcnn": []}
    detector.detect(pictures(3), HW, [FACES, BOTH, GEAR])
    assert counts == {"retinaface": [3, 2], "maskrcnn": [2]}


def test_only_what_is_asked_for_is_loaded(weights):
    faces = load_default_detector(device="cpu", weights=weights, models=FACES)
    assert set(faces.digests) == {"retinaface", "mask_state"}
    gear = load_default_detector(device="cpu", weights=weights, models=GEAR, score_threshold=0.05)
    assert set(gear.digests) == {"maskrcnn"}
    gear.warm_up(HW, (1,))
    one, two = gear.detect(pictures(2), HW, [FACES, BOTH])
    assert len(one) == 0, "a model that is not loaded is left out"
    assert len(two) > 0


def test_wrong_use(detector, weights):
    with pytest.raises(PictureError):
        detector.detect([], HW)
    with pytest.raises(PictureError):
        detector.detect(pictures(1), (60, 96))
    with pytest.raises(ValueError, match="1 sets of models for 2 pictures"):
        detector.detect(pictures(2), HW, [FACES])
    with pytest.raises(ValueError, match="at least one"):
        CombinedDetector(None, None)
    with pytest.raises(WeightsError, match="there is no model 'yolo'"):
        load_default_detector(weights=weights, models=["yolo"])


def test_what_ships_and_what_is_named_passes_the_check_of_weights(weights):
    check_weights(installed_models())
    check_weights(BOTH, weights)
    with pytest.raises(WeightsError, match="expected 'mask_rcnn'"):
        check_weights(GEAR, {"maskrcnn": weights["retinaface"]})


def test_weights_that_are_named_count_as_installed_and_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setattr("models.loading.STORE", tmp_path)
    assert installed_models() == frozenset()
    for network in ("retinaface", "mask_state"):
        (tmp_path / f"{network}.safetensors").touch()
    assert installed_models() == FACES
    named = {"maskrcnn": tmp_path / "gone.safetensors"}
    assert installed_models(named) == BOTH
    with pytest.raises(WeightsError, match=r"gone\.safetensors: the weights of maskrcnn are missing"):
        load_default_detector(weights=named)


# --- joining -------------------------------------------------------------------------------------------


@st.composite
def some_detections(draw) -> Detections:
    count = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    corners = rng.uniform(0, 50, (count, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    optional = {
        "seg_masks": rng.random((count, 28, 28)),
        "landmarks_xy": rng.random((count, 5, 2)),
        "face_mask_probs": rng.random((count, 3)),
        "sharpness": rng.random(count),
    }
    optional["row_scales"] = rng.uniform(0.1, 2, count)
    present = {name: value for name, value in optional.items() if draw(st.booleans())}
    scale = draw(st.sampled_from([0.5, 1.5]))
    return Detections((60, 80), boxes, rng.random(count), rng.integers(0, 8, count), scale, **present)


@given(st.lists(some_detections(), min_size=1, max_size=3))
def test_joining_keeps_every_row_and_field(parts):
    whole = joined(parts)
    assert len(whole) == sum(len(part) for part in parts)
    assert whole.input_scale == parts[0].input_scale
    start = 0
    for part in parts:
        rows = whole.select(np.arange(start, start + len(part)))
        start += len(part)
        np.testing.assert_array_equal(rows.boxes_xyxy, part.boxes_xyxy)
        np.testing.assert_array_equal(rows.class_ids, part.class_ids)
        np.testing.assert_array_equal(rows.input_scales, part.input_scales)
        for name, missing in (
            ("seg_masks", 0),
            ("landmarks_xy", 0),
            ("face_mask_probs", 0),
            ("sharpness", 1),
        ):
            own, kept = getattr(part, name), getattr(rows, name)
            if own is not None and len(part):
                np.testing.assert_array_equal(kept, own)
            elif kept is not None:
                assert (kept == missing).all() or own is not None


def test_detections_of_two_pictures_are_not_joined():
    with pytest.raises(ValueError, match="different pictures"):
        joined([Detections.empty((10, 10)), Detections.empty((10, 20))])
    with pytest.raises(ValueError, match="nothing"):
        joined([])


def test_a_batch_gives_its_pictures_away_without_copying_where_it_can():
    batch = ImageBatch(
        np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3),
        np.array([1, 2, 3], np.float32),
        np.zeros((3, 2), np.float32),
        np.array([[4, 4], [2, 2], [1, 1]], np.int32),
    )
    assert batch.select([0, 1, 2]) is batch
    part = batch.select([2, 0])
    np.testing.assert_array_equal(part.pixels, batch.pixels[[2, 0]])
    assert part.scales.tolist() == [3, 1]
    assert part.image_hw.tolist() == [[1, 1], [4, 4]]
