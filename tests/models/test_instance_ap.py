"""Average precision against pycocotools, for boxes and for pixels."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.evaluation.coco_precision import (
    AREA_RANGES_PX,
    CocoMatches,
    best_f1,
    match_coco,
    precision_curves,
)
from models.evaluation.overlaps import Region, box_areas, box_overlaps, region_overlaps

IMAGE_HW = (130, 140)


@dataclass(frozen=True)
class Example:
    """Labels and detections of one picture; pixels are the boxes' with some holes."""

    gt_boxes: NDArray[np.float64]
    gt_ignored: NDArray[np.bool_]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    seed: int

    def regions(self, boxes: NDArray[np.float64], salt: int) -> list[Region]:
        draw = np.random.default_rng([self.seed, salt])
        found = []
        for x1, y1, x2, y2 in boxes.astype(int):
            pixels = np.ones((y2 - y1, x2 - x1), np.bool_)
            pixels[: draw.integers(0, 3), : draw.integers(0, 3)] = False
            found.append(Region(int(x1), int(y1), pixels))
        return found


@st.composite
def examples(draw: st.DrawFn) -> Example:
    # coarse corners and few scores: equal overlaps, equal scores and overlaps of exactly a threshold are frequent
    step = draw(st.sampled_from([4, 8, 20]))
    corner = st.integers(0, 100 // step).map(lambda value: value * step)
    side = st.integers(1, 40 // step + 4).map(lambda value: min(value * step, 128))

    def box() -> tuple[float, ...]:
        x, y = draw(corner), draw(corner)
        return x, y, min(x + draw(side), IMAGE_HW[1]), min(y + draw(side), IMAGE_HW[0])

    labels = [box() for _ in range(draw(st.integers(0, 5)))]
    found = [box() for _ in range(draw(st.integers(0, 6)))]
    # detections close to labels too, else next to nothing would match
    for x1, y1, x2, y2 in labels:
        if draw(st.booleans()):
            shift = draw(st.sampled_from([0, 0, step, -step]))
            found.append((max(0, x1 + shift), y1, max(1, min(x2 + shift, IMAGE_HW[1])), y2))
    found = [one for one in found if one[2] > one[0]]
    return Example(
        gt_boxes=np.array(labels, np.float64).reshape(-1, 4),
        gt_ignored=np.array([draw(st.sampled_from([False, False, True])) for _ in labels], np.bool_),
        boxes=np.array(found, np.float64).reshape(-1, 4),
        scores=np.array([draw(st.sampled_from([0.25, 0.5, 0.625, 0.75, 1.0])) for _ in found], np.float32),
        seed=draw(st.integers(0, 2**31)),
    )


def encoded(region: Region) -> dict[str, Any]:
    whole = np.zeros(IMAGE_HW, np.uint8, order="F")
    height, width = region.pixels.shape
    whole[region.top : region.top + height, region.left : region.left + width] = region.pixels
    result: dict[str, Any] = coco_mask.encode(whole)
    return result


def published(
    pictures: Sequence[Example], *, pixels: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision (A, T, R) and recall (A, T) as pycocotools finds them; -1 where there are no labels."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for index, picture in enumerate(pictures, start=1):
        for row, (x1, y1, x2, y2) in enumerate(picture.gt_boxes.tolist()):
            region = picture.regions(picture.gt_boxes, 0)[row]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": region.area_px if pixels else (x2 - x1) * (y2 - y1),
                    "iscrowd": int(picture.gt_ignored[row]),
                    "segmentation": encoded(region),
                }
            )
        for row, (x1, y1, x2, y2) in enumerate(picture.boxes.tolist()):
            shape = (
                {"segmentation": encoded(picture.regions(picture.boxes, 1)[row])}
                if pixels
                else {"bbox": [x1, y1, x2 - x1, y2 - y1]}
            )
            results.append(
                {"image_id": index, "category_id": 1, "score": float(picture.scores[row]), **shape}
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [
                {"id": index, "height": IMAGE_HW[0], "width": IMAGE_HW[1]}
                for index in range(1, len(pictures) + 1)
            ],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "thing"}],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "segm" if pixels else "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, :, -1]
    return precision.transpose(2, 0, 1), evaluation.eval["recall"][:, 0, :, -1].T


def ours(picture: Example, *, pixels: bool) -> CocoMatches:
    if pixels:
        found, labelled = picture.regions(picture.boxes, 1), picture.regions(picture.gt_boxes, 0)
        areas, gt_areas = (np.array([one.area_px for one in many], np.float64) for many in (found, labelled))
        overlaps = region_overlaps(found, labelled, picture.gt_ignored)
    else:
        areas, gt_areas = box_areas(picture.boxes), box_areas(picture.gt_boxes)
        overlaps = box_overlaps(picture.boxes, picture.gt_boxes, picture.gt_ignored)
    return match_coco(picture.scores, areas, gt_areas, picture.gt_ignored, overlaps)


@pytest.mark.parametrize("pixels", [False, True], ids=["boxes", "pixels"])
@settings(max_examples=80)
@given(pictures=st.lists(examples(), min_size=1, max_size=4))
def test_agrees_with_pycocotools(pictures: list[Example], pixels: bool) -> None:
    if not sum(len(picture.boxes) for picture in pictures):
        return  # pycocotools cannot load no results
    expected_precision, expected_recall = published(pictures, pixels=pixels)
    curves = precision_curves([ours(picture, pixels=pixels) for picture in pictures])
    np.testing.assert_allclose(np.nan_to_num(curves.precision, nan=-1), expected_precision, atol=1e-6)
    np.testing.assert_allclose(np.nan_to_num(curves.recall, nan=-1), expected_recall, atol=1e-6)


def test_only_the_best_hundred_of_a_picture_count() -> None:
    draw = np.random.default_rng(3)
    corners = draw.integers(0, 100, (150, 2)).astype(np.float64)
    boxes = np.concatenate([corners, corners + 20], axis=1)
    picture = Example(boxes[:40], np.zeros(40, np.bool_), boxes, draw.random(150, np.float32), 0)
    expected, _ = published([picture], pixels=False)
    np.testing.assert_allclose(
        np.nan_to_num(precision_curves([ours(picture, pixels=False)]).precision, nan=-1), expected, atol=1e-6
    )


def test_without_detections_nothing_is_found_and_without_labels_there_is_no_figure() -> None:
    label = np.array([[10, 10, 60, 60]], np.float64)
    none = np.zeros((0, 4))
    empty = Example(label, np.zeros(1, np.bool_), none, np.zeros(0, np.float32), 0)
    curves = precision_curves([ours(empty, pixels=False)])
    areas = list(AREA_RANGES_PX)
    assert (curves.average_precision[areas.index("all")] == 0).all()
    assert (curves.average_precision[areas.index("medium")] == 0).all()
    assert np.isnan(curves.average_precision[areas.index("small")]).all()
    absent = Example(none, np.zeros(0, np.bool_), label, np.ones(1, np.float32), 0)
    assert np.isnan(precision_curves([ours(absent, pixels=False)]).average_precision).all()


def test_best_f1_weighs_precision_and_recall_where_they_meet() -> None:
    labels = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float64)
    boxes = np.concatenate([labels[:2], [[60, 0, 70, 10], [80, 0, 90, 10]], labels[2:]])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.1], np.float32)
    best = best_f1(
        precision_curves([ours(Example(labels, np.zeros(3, np.bool_), boxes, scores, 0), pixels=False)])
    )
    assert best.score_threshold == pytest.approx(0.8)
    assert (best.precision, best.recall, best.f1) == pytest.approx((1.0, 2 / 3, 0.8))
    # at one score for all there is but one threshold
    same = Example(labels, np.zeros(3, np.bool_), boxes, np.full(5, 0.5, np.float32), 0)
    assert best_f1(precision_curves([ours(same, pixels=False)])).precision == pytest.approx(3 / 5)
