"""What a labelled picture teaches RetinaFace, with a teacher and without."""

import numpy as np
import pytest
from retinaface_training_builders import faces_of, picture_of

from models.training.retinaface_examples import (
    box_around,
    face_example,
    head_example,
    landmark_example,
    no_faces,
)


def test_the_teacher_supplies_landmarks_and_what_was_skipped() -> None:
    picture = picture_of([[10, 10, 30, 30], [60, 60, 80, 80]])
    seen = faces_of(([11, 11, 31, 31], 0.9), ([60, 60, 80, 80], 0.3), ([40, 10, 50, 20], 0.4))
    example = face_example(picture, seen, exhaustive=False)
    np.testing.assert_array_equal(example.landmark_weights, [1, 0])
    np.testing.assert_array_equal(example.landmarks_xy[0, 0], [21, 21])
    np.testing.assert_array_equal(example.ignored_xyxy, [[40, 10, 50, 20]])
    np.testing.assert_array_equal(example.box_weights, [1, 1])
    alone = face_example(picture, no_faces(), exhaustive=False)
    assert not alone.landmark_weights.any()
    assert len(alone.ignored_xyxy) == 0


def test_exhaustive_labels_still_leave_out_whom_the_teacher_surely_sees() -> None:
    seen = faces_of(([40, 10, 50, 20], 0.9), ([70, 10, 80, 20], 0.97))
    example = face_example(
        picture_of([[10, 10, 30, 30]]), seen, exhaustive=True, box_weight=0.25, teacher_weight=0.5
    )
    np.testing.assert_array_equal(example.ignored_xyxy, [[70, 10, 80, 20]])
    np.testing.assert_array_equal(example.box_weights, [0.25])


def test_heads_teach_faces_background_or_nothing() -> None:
    heads = picture_of([[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 100, 20]], "bare_head")
    seen = faces_of(
        ([2, 5, 18, 20], 0.9), ([42, 5, 58, 20], 0.2), ([2, 60, 18, 80], 0.95), ([50, 60, 60, 70], 0.5)
    )
    arguments = {"head_categories": ["bare_head"], "trust_teacher": True}
    example = head_example(heads, seen, **arguments)
    np.testing.assert_array_equal(example.boxes_xyxy, [[2, 5, 18, 20]])
    # ignored: an unsure head, and a sure face where no head is labelled. Background: the head on which
    # nothing is seen, when the teacher is trusted, and the unsure face away from heads
    assert [box[0] for box in example.ignored_xyxy] == pytest.approx([37, 2])
    untrusted = head_example(heads, seen, **(arguments | {"trust_teacher": False}))
    assert [box[0] for box in untrusted.ignored_xyxy] == pytest.approx([37, 77, 2])
    assert len(head_example(picture_of([[0, 0, 9, 9]], "person"), seen, **arguments).subjects_xyxy) == 0


def test_close_ups_take_their_points_from_the_labels_and_their_box_from_the_teacher() -> None:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    seen = faces_of(([10, 10, 45, 90], 0.95), ([30, 30, 70, 70], 0.9))
    example = landmark_example(picture_of([[0, 0, 99, 99]]), points, seen)
    np.testing.assert_array_equal(example.boxes_xyxy, [[30, 30, 70, 70]])
    np.testing.assert_array_equal(example.landmarks_xy, points[None])
    np.testing.assert_array_equal([*example.landmark_weights, *example.box_weights], [1, 1])
    np.testing.assert_array_equal(example.ignored_xyxy, [[10, 10, 45, 90]])


def test_close_ups_that_the_teacher_does_not_know_teach_points_and_no_box() -> None:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    example = landmark_example(picture_of([[0, 0, 99, 99]]), points, faces_of(([30, 30, 70, 70], 0.3)))
    np.testing.assert_array_equal([*example.landmark_weights, *example.box_weights], [1, 0])
    # 20 px from the eyes to the mouth: 42 px wide, 55 px high
    np.testing.assert_allclose(example.boxes_xyxy, [[28.8, 19.4, 71.2, 74.2]], atol=0.1)
    # in profile both eyes are in one place, and the face is no narrower for that
    assert (np.diff(box_around(np.array([[50, 50]] * 5, np.float32)).reshape(2, 2), axis=0) >= 2).all()
