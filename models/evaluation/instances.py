"""Detections of one picture against its labels, word by word, as boxes and as pixels.

A word (what a source calls a thing) is measured with all detections that answer it, whatever their category; see
``models.data.label_answers``. Boxes are clipped to the picture first: nobody sees what lies beyond.

Shapes: D detections of a picture, N of them that answer a word, M labelled things that bear it or are ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.label_answers import LabelAnswers
from models.data.polygon_pixels import polygon_pixels
from models.evaluation.coco_precision import CocoMatches, match_coco
from models.evaluation.overlaps import Region, box_areas, box_overlaps, region_overlaps
from models.mask_rcnn.pasting import seg_mask_in_window, window_of_box
from models.structures import Category, Detections

Kind = Literal["box", "pixels"]

#: Detections of two categories that answer the same word and overlap by more are one thing seen twice.
ONE_THING_IOU: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class WordMatches:
    """How what answers one word meets what bears it.

    - ``rows``: int64 (N,), rows of the picture's ``Detections``. ``boxes_xyxy``: float64 (N, 4), as judged.
    - ``objects``: (M,), places in the picture's ``objects``.
    - ``overlaps``: float64 (N, M).
    - ``matches``: rows and labels counted as in ``rows`` and ``objects``.
    """

    word: str
    kind: Kind
    rows: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float64]
    objects: tuple[int, ...]
    overlaps: NDArray[np.float64]
    matches: CocoMatches


def match_words(
    picture: AnnotatedPicture,
    detections: Detections,
    answers: LabelAnswers,
    *,
    known: frozenset[Category],
    words_with_pixels: frozenset[str] = frozenset(),
) -> list[WordMatches]:
    """Match every word that is measured on ``picture`` and that a detector of the ``known`` categories can answer.

    Pixels are matched too for ``words_with_pixels``, when the detections have some; things that bear such a word and
    have no polygon are ignored there.
    """
    found: list[WordMatches] = []
    judged = judged_boxes(picture, detections, answers)
    for word in sorted(answers.measured_words(picture)):
        categories = answers.categories(picture.source, word) or frozenset()
        if not categories & known:
            continue
        rows = answering_rows(detections, judged, categories)
        boxes = judged[rows]
        objects = tuple(
            index
            for index, thing in enumerate(picture.objects)
            if thing.category == word or answers.categories(picture.source, thing.category) is None
        )
        things = [picture.objects[index] for index in objects]
        ignored = np.array([thing.ignored or thing.category != word for thing in things], np.bool_)
        scores = detections.scores[rows]
        gt_boxes = clipped(np.array([thing.box_xyxy for thing in things], np.float64), picture.image_hw)
        overlaps = box_overlaps(boxes, gt_boxes, ignored)
        matches = match_coco(scores, box_areas(boxes), box_areas(gt_boxes), ignored, overlaps)
        found.append(WordMatches(word, "box", rows, boxes, objects, overlaps, matches))
        if word in words_with_pixels and detections.seg_masks is not None:
            regions = [detected_region(detections, int(row)) for row in rows]
            gt_regions = [labelled_region(thing, picture.image_hw) for thing in things]
            unknown = ignored | np.array([not thing.polygons for thing in things], np.bool_)
            overlaps = region_overlaps(regions, gt_regions, unknown)
            matches = match_coco(scores, _areas(regions), _areas(gt_regions), unknown, overlaps)
            found.append(WordMatches(word, "pixels", rows, boxes, objects, overlaps, matches))
    return found


def words_with_polygons(pictures: Sequence[AnnotatedPicture]) -> frozenset[str]:
    """Words that some thing with a polygon bears."""
    return frozenset(
        thing.category
        for picture in pictures
        for thing in picture.objects
        if thing.polygons and not thing.ignored
    )


def judged_boxes(
    picture: AnnotatedPicture, detections: Detections, answers: LabelAnswers
) -> NDArray[np.float64]:
    """The boxes (D, 4) as the picture's source would draw them, clipped to the picture.

    Where it draws only the garment and our box is that of the whole head, these are the bounds of the detected pixels
    (``LabelAnswers.pixel_bounds``); without pixels, or where none is set, the boxes are taken as they are.
    """
    boxes = clipped(detections.boxes_xyxy, picture.image_hw)
    if detections.seg_masks is not None:
        categories = [int(category) for category in answers.pixel_bounds(picture.source)]
        for row in np.flatnonzero(np.isin(detections.class_ids, categories)):
            region = detected_region(detections, int(row))
            if region.area_px:
                rows, columns = (np.flatnonzero(region.pixels.any(axis=axis)) for axis in (1, 0))
                bounds = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
                boxes[row] = np.add(bounds, (region.left, region.top, region.left, region.top))
    return boxes


def answering_rows(
    detections: Detections, boxes_xyxy: NDArray[np.float64], categories: frozenset[Category]
) -> NDArray[np.int64]:
    """Rows of ``categories``, best first, without those that a better one of another category covers already.

    ``boxes_xyxy`` (D, 4) are those that are judged.
    """
    rows = np.flatnonzero(np.isin(detections.class_ids, [int(category) for category in categories]))
    rows = rows[np.argsort(-detections.scores[rows], kind="stable")]
    if len(categories) == 1 or len(rows) == 0:
        return rows
    boxes = boxes_xyxy[rows]
    class_ids = detections.class_ids[rows]
    twice = box_overlaps(boxes, boxes, np.zeros(len(rows), np.bool_)) > ONE_THING_IOU
    twice &= class_ids[:, None] != class_ids[None, :]
    kept: list[int] = []
    for row in range(len(rows)):
        if not twice[row, kept].any():
            kept.append(row)
    return np.asarray(rows[kept])


def clipped(boxes_xyxy: NDArray[np.floating], image_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes (N, 4) without what lies beyond the picture."""
    height, width = image_hw
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float64))


def detected_region(detections: Detections, row: int) -> Region:
    """The pixels of one detection. Raises ``ValueError`` when the detections have none."""
    if detections.seg_masks is None:
        raise ValueError("the detections have no pixels")
    box = detections.boxes_xyxy[row]
    left, top, right, bottom = window = window_of_box(box, detections.image_hw)
    if right <= left or bottom <= top:
        return Region(left, top, np.zeros((0, 0), np.bool_))
    return Region(left, top, seg_mask_in_window(detections.seg_masks[row], box, window) >= 0.5)


def labelled_region(thing: AnnotatedObject, image_hw: tuple[int, int]) -> Region:
    """The pixels of one labelled thing: of its polygons, or the whole box when it has none."""
    x1, y1, x2, y2 = thing.box_xyxy
    polygons = thing.polygons or (np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32),)
    corners = np.concatenate(polygons)
    bounds = clipped(np.concatenate([np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))]), image_hw)
    left, top, right, bottom = (int(value) for value in bounds[0])
    if right <= left or bottom <= top:
        return Region(left, top, np.zeros((0, 0), np.bool_))
    return Region(left, top, polygon_pixels(polygons, (left, top, right, bottom)))


def _areas(regions: Sequence[Region]) -> NDArray[np.float64]:
    return np.array([region.area_px for region in regions], np.float64)
