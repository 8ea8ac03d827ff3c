"""The value types keep their promises: read-only, checked, and exact on the way back to original pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.structures import (
    Category,
    Detections,
    Gear,
    GearEvidence,
    GearState,
    ImageBatch,
    PersonObservation,
)


def detections(count: int = 2, **changes) -> Detections:
    fields = {
        "image_hw": (100, 200),
        "boxes_xyxy": np.tile(np.array([10, 20, 30, 50], np.float32), (count, 1)),
        "scores": np.full(count, 0.9, np.float32),
        "class_ids": np.full(count, Category.FACE_WITH_MASK, np.int32),
    }
    return Detections(**(fields | changes))


def test_arrays_are_read_only_even_when_the_maker_keeps_a_reference():
    scores = np.array([0.1, 0.2], np.float32)
    made = detections(scores=scores)
    with pytest.raises(ValueError, match="read-only"):
        made.scores[0] = 1
    scores[0] = 0.7
    assert made.scores[0] == np.float32(0.1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scores": np.zeros(3)}, "scores"),
        ({"scores": np.array([0.5, 1.5])}, "scores"),
        ({"scores": np.array([0.5, np.nan])}, "scores"),
        ({"class_ids": np.array([0, 99])}, "class_ids"),
        ({"landmarks_xy": np.zeros((2, 5))}, "landmarks_xy"),
        ({"face_mask_probs": np.zeros((2, 4))}, "face_mask_probs"),
        ({"seg_masks": np.zeros((1, 28, 28))}, "seg_masks"),
        ({"boxes_xyxy": np.array([[10, 20, 5, 50], [0, 0, 1, 1]])}, "boxes_xyxy"),
        ({"image_hw": (0, 10)}, "image_hw"),
    ],
)
def test_a_wrong_field_is_named(changes, named):
    with pytest.raises(ValueError, match=named):
        detections(**changes)


def test_select_keeps_rows_together():
    made = detections(3, scores=np.array([0.1, 0.2, 0.3]), sharpness=np.array([0.3, 0.2, 0.1]))
    chosen = made.select(np.array([2, 0]))
    assert chosen.scores.tolist() == pytest.approx([0.3, 0.1])
    assert chosen.sharpness is not None
    assert chosen.sharpness.tolist() == pytest.approx([0.1, 0.3])
    assert len(made.select(np.zeros(3, bool))) == 0
    assert len(Detections.empty((4, 5))) == 0


@given(
    scale=st.floats(0.05, 8),
    pad=st.tuples(st.floats(0, 100), st.floats(0, 100)),
    box=st.tuples(st.floats(-500, 4000), st.floats(-500, 4000), st.floats(0, 500), st.floats(0, 500)),
)
def test_boxes_come_back_to_original_pixels(scale, pad, box):
    batch = ImageBatch(
        pixels=np.zeros((1, 32, 64, 3), np.uint8),
        scales=np.array([scale]),
        pads_xy=np.array([pad]),
        image_hw=np.array([[1080, 1920]]),
    )
    x, y, width, height = box
    original = np.array([[x, y, x + width, y + height]], np.float32)
    there = original * np.float32(scale) + np.tile(np.array(pad, np.float32), 2)
    assert np.allclose(batch.boxes_to_image(there, 0), original, atol=0.02)


@pytest.mark.parametrize(
    "changes",
    [
        {"pixels": np.zeros((1, 32, 64, 3), np.float32)},
        {"pixels": np.zeros((32, 64, 3), np.uint8)},
        {"scales": np.array([0.0])},
        {"pads_xy": np.array([[-1.0, 0.0]])},
        {"image_hw": np.array([[1080, 1920], [1, 1]])},
    ],
)
def test_an_image_batch_that_disagrees_with_itself_is_refused(changes):
    fields = {
        "pixels": np.zeros((1, 32, 64, 3), np.uint8),
        "scales": np.ones(1),
        "pads_xy": np.zeros((1, 2)),
        "image_hw": np.array([[1080, 1920]]),
    }
    with pytest.raises(ValueError, match=r"expected|above 0"):
        ImageBatch(**(fields | changes))


def test_an_observation_cannot_be_changed_through_the_mapping_it_was_made_from():
    gear = {Gear.HARD_HAT: GearEvidence(GearState.WORN, 0.9, 1.0, "hard hat 0.90 on the head")}
    person = PersonObservation(box_xyxy=(0, 0, 10, 20), head_xyxy=(2, 0, 8, 6), score=0.8, gear=gear)
    gear.clear()
    assert person.gear[Gear.HARD_HAT].state is GearState.WORN
    with pytest.raises(TypeError):
        person.gear[Gear.HARD_HAT] = None  # type: ignore[index]


def test_evidence_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="0 to 1"):
        GearEvidence(GearState.WORN, 1.2, 1.0, "")
    with pytest.raises(ValueError, match="head_xyxy"):
        PersonObservation(box_xyxy=(0, 0, 10, 20), head_xyxy=(8, 0, 2, 6), score=0.8)
