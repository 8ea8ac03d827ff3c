"""Pseudo-labels fill gaps; what a source labels wins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import DataSetError
from models.structures import Category, Detections, Picture
from models.training.mask_rcnn.faces_seen import SeenFace, read_faces, with_faces, write_faces
from models.training.mask_rcnn.labels import Example
from models.training.mask_rcnn.pseudo_labels import (
    PseudoLabel,
    PseudoLabelRule,
    completed,
    look,
    read_pseudo_labels,
    write_pseudo_labels,
)

CATEGORIES = ("hard_hat", "bare_head", "person", "face_mask", "hat")


class _Squares:
    """A detector of white rectangles from 8 pixels on; it trusts larger ones more."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def digests(self) -> Mapping[str, str]:
        return {"squares": "sha256:0"}

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Nothing to prepare."""

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        self.looks += 1
        found = []
        for picture in pictures:
            white = (picture.rgb().min(axis=2) > 128).astype(np.uint8)
            # a rectangle that is small in the picture it is shown is not seen
            least = 0.1 * max(picture.image_hw)
            _, _, rows, _ = cv2.connectedComponentsWithStats(white)
            boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in rows[1:].tolist() if min(w, h) >= least]
            found.append(
                Detections(
                    image_hw=picture.image_hw,
                    boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
                    scores=np.full(len(boxes), 0.9, np.float32),
                    class_ids=np.full(len(boxes), int(Category.PERSON), np.int32),
                )
            )
        return found


def _example(**changes: NDArray[np.generic]) -> Example:
    values = {
        "boxes_xyxy": np.array([[10, 10, 30, 40]], np.float32),
        "admissible": np.array([[True, False, False, False, False]]),
        "polygons": ((),),
        "ignored_xyxy": np.zeros((0, 4), np.float32),
        "labelled": np.array([True, True, False, False, False]),
    } | changes
    return Example(path=Path("a"), image_hw=(100, 100), source="site", **values)  # type: ignore[arg-type]


def _person(score: float, *box: float) -> PseudoLabel:
    x1, y1, x2, y2 = box
    return PseudoLabel("person", score, (x1, y1, x2, y2))


def test_scores_make_things_ignored_regions_or_nothing() -> None:
    seen = [_person(0.9, 0, 0, 20, 90), _person(0.4, 40, 0, 60, 90), _person(0.1, 70, 0, 90, 90)]
    example = completed(_example(), seen, PseudoLabelRule("f", "person"), CATEGORIES)
    np.testing.assert_array_equal(example.boxes_xyxy[1:], [[0, 0, 20, 90]])
    np.testing.assert_array_equal(example.admissible[1:], [[0, 0, 1, 0, 0]])
    assert len(example.polygons) == 2
    np.testing.assert_array_equal(example.ignored_xyxy, [[40, 0, 60, 90]])
    np.testing.assert_array_equal(example.labelled, _example().labelled)
    never = completed(_example(), seen, PseudoLabelRule("f", "person", thing_score=2.0), CATEGORIES)
    assert (len(never.boxes_xyxy), len(never.ignored_xyxy)) == (1, 2)


def test_what_the_source_labels_wins() -> None:
    rule = PseudoLabelRule("f", "person")
    seen = [_person(0.9, 10, 10, 32, 80), _person(0.9, 60, 10, 80, 80)]
    exhaustive = _example(labelled=np.array([True, True, True, False, False]))
    assert completed(exhaustive, seen, rule, CATEGORIES) is exhaustive
    some = _example(
        boxes_xyxy=np.array([[10, 10, 30, 80]], np.float32),
        admissible=np.array([[False, False, True, False, False]]),
    )
    np.testing.assert_array_equal(completed(some, seen, rule, CATEGORIES).boxes_xyxy[1:], [[60, 10, 80, 80]])
    # a head box overlaps the person's, and both are there
    assert len(completed(_example(), seen, rule, CATEGORIES).boxes_xyxy) == 3


def test_a_head_is_one_thing() -> None:
    unlabelled = _example(labelled=np.zeros(5, np.bool_))
    seen = [
        PseudoLabel("bare_head", 0.9, (11, 11, 30, 40)),
        PseudoLabel("bare_head", 0.9, (50, 11, 70, 40)),
        _person(0.9, 0, 0, 20, 90),
    ]
    example = completed(unlabelled, seen, PseudoLabelRule("f", "bare_head"), CATEGORIES)
    np.testing.assert_array_equal(example.boxes_xyxy[1:], [[50, 11, 70, 40]])


def test_a_head_may_have_to_lie_in_a_person() -> None:
    example = _example(
        boxes_xyxy=np.array([[10, 10, 30, 90]], np.float32),
        admissible=np.array([[False, False, True, False, False]]),
        labelled=np.array([False, False, True, False, False]),
    )
    seen = [
        PseudoLabel("bare_head", 0.9, (12, 8, 28, 30)),
        PseudoLabel("bare_head", 0.9, (60, 8, 80, 30)),
        PseudoLabel("bare_head", 0.3, (12, 50, 28, 70)),
    ]
    found = completed(example, seen, PseudoLabelRule("f", "bare_head", inside="person"), CATEGORIES)
    np.testing.assert_array_equal(found.boxes_xyxy[1:], [[12, 8, 28, 30]])
    np.testing.assert_array_equal(found.ignored_xyxy, [[60, 8, 80, 30], [12, 50, 28, 70]])


def test_a_rule_may_name_sources_and_categories_that_are_not_asked_for() -> None:
    seen = [_person(0.9, 0, 0, 20, 90)]
    elsewhere = PseudoLabelRule("f", "person", sources=("shwd",))
    assert len(completed(_example(), seen, elsewhere, CATEGORIES).boxes_xyxy) == 1
    example = _example(admissible=np.array([[True]]), labelled=np.array([True]))
    assert completed(example, seen, PseudoLabelRule("f", "person"), ("hard_hat",)) is example


def test_small_things_are_seen_on_tiles_and_cut_ones_are_not() -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[20:44, 30:54] = 255  # too small for the whole picture, large enough on a tile
    pixels[60:190, 100:210] = 255  # cut by every tile
    detector = _Squares()
    seen = look(detector, pixels, (320, 320))
    assert detector.looks == 5
    assert sorted(label.box_xyxy for label in seen) == [(30.0, 20.0, 54.0, 44.0), (100.0, 60.0, 210.0, 190.0)]
    assert {label.category for label in seen} == {"person"}


def test_pseudo_labels_are_read_as_written(tmp_path: Path) -> None:
    file = tmp_path / "pseudo" / "person.json"
    labels = {"a/b.webp": [_person(0.9, 1, 2, 3, 4)], "c.webp": []}
    write_pseudo_labels(file, labels, {"yolox": "sha256:0"})
    assert read_pseudo_labels(file) == labels
    file.write_text('{"pictures": {"a": [[1]]}}')
    with pytest.raises(DataSetError, match=r"person\.json"):
        read_pseudo_labels(file)
    with pytest.raises(DataSetError, match=r"faces\.json"):
        read_faces(tmp_path / "faces.json")


def test_faces_tell_where_face_masks_are_and_can_be_drawn(tmp_path: Path) -> None:
    landmarks = np.array([[35, 40], [65, 40], [50, 58], [38, 72], [62, 72]], np.float32)
    box = np.array([25, 15, 75, 90], np.float32)
    kinds = {  # score, masked, unmasked, sharpness
        "bare": (0.95, 0.05, 0.95, 0.8),
        "masked": (0.95, 0.95, 0.05, 0.8),
        "unsure": (0.95, 0.4, 0.6, 0.8),
        "blurred": (0.95, 0.05, 0.95, 0.05),
        "no face": (0.4, 0.05, 0.95, 0.8),
    }
    faces = [
        SeenFace(box + 100 * index, landmarks + 100 * index, *numbers)
        for index, numbers in enumerate(kinds.values())
    ]
    file = tmp_path / "faces.json"
    write_faces(file, {"a": faces}, {})
    unlabelled = _example(labelled=np.zeros(5, np.bool_))
    example = with_faces(unlabelled, read_faces(file)["a"], CATEGORIES)
    np.testing.assert_array_equal(example.bare_faces_xy, landmarks[None])
    # the face mask of the second covers nose and mouth of it, and not the eyes
    np.testing.assert_array_equal(example.admissible[1:], [[0, 0, 0, 1, 0]])
    x1, y1, x2, y2 = example.boxes_xyxy[1] - 100
    assert (landmarks[2:] > (x1, y1)).all()
    assert (landmarks[2:] < (x2, y2)).all()
    assert (landmarks[:2, 1] < y1).all()
    # one that may wear a face mask, and five heads
    assert len(example.ignored_xyxy) == 1 + 5
    labelled = replace(unlabelled, labelled=np.ones(5, np.bool_))
    assert with_faces(labelled, faces, CATEGORIES).boxes_xyxy is labelled.boxes_xyxy
