"""Pixels of detections in files and pictures: polygons, splash, and the rows that carry them."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.mask_rcnn.pasting import paste_seg_mask
from models.structures import Category, Detections
from streamer.detect.annotate import COLORS, annotated, splash
from streamer.detect.rows import coco_rows
from streamer.outlines import outlines, outlines_of

C = Category
HW = (120, 160)


def disc(cx: float = 0.5, cy: float = 0.5, radius: float = 0.4) -> np.ndarray:
    y, x = (np.mgrid[:28, :28] + 0.5) / 28
    return (np.hypot(x - cx, y - cy) <= radius).astype(np.float32)


def seen(*rows):
    """Detections of rows (category, box, pixels or None)."""
    return Detections(
        image_hw=HW,
        boxes_xyxy=np.array([box for _, box, _ in rows], np.float32),
        scores=np.full(len(rows), 0.9, np.float32),
        class_ids=np.array([int(kind) for kind, _, _ in rows], np.int32),
        seg_masks=np.array([np.zeros((28, 28)) if p is None else p for _, _, p in rows], np.float32),
        landmarks_xy=np.zeros((len(rows), 5, 2), np.float32),
    )


def filled(polygons, finer=8):
    """The area inside polygons, at a finer grid, as the part of each pixel of the picture that is covered."""
    canvas = np.zeros((HW[0] * finer, HW[1] * finer), np.uint8)
    cv2.fillPoly(canvas, [np.rint(np.array(polygon) * finer).astype(np.int32) for polygon in polygons], 1)
    return canvas.reshape(HW[0], finer, HW[1], finer).mean((1, 3))


@given(st.floats(-20, 120), st.floats(-20, 90), st.floats(16, 90), st.floats(16, 90), st.floats(0.25, 0.48))
def test_polygons_cover_what_the_pasted_pixels_cover(x, y, width, height, radius):
    box = np.array([x, y, x + width, y + height])
    pasted = paste_seg_mask(disc(radius=radius), box, HW)
    polygons = outlines(disc(radius=radius), box, HW)
    if pasted.sum() < 60:
        return
    inside = filled(polygons) >= 0.5
    # a row more or less of a flat disc is a fifth of it
    assert (inside & pasted).sum() >= 0.8 * (inside | pasted).sum()
    corners = np.concatenate([np.array(polygon) for polygon in polygons])
    assert corners.min() >= 0
    assert (corners <= (HW[1], HW[0])).all()


def test_parts_come_apart_largest_first_and_faces_have_no_pixels():
    two = np.maximum(disc(0.25, 0.3, 0.15), disc(0.7, 0.6, 0.25))
    found = seen((C.HARD_HAT, (20, 20, 90, 90), two), (C.FACE_WITH_MASK, (20, 20, 90, 90), disc()))
    large, small = outlines_of(found, 0)
    assert np.ptp(np.array(large)[:, 0]) > np.ptp(np.array(small)[:, 0])
    assert outlines_of(found, 1) == []
    assert outlines(disc(), np.array([500, 500, 600, 600]), HW) == []


def test_rows_carry_the_polygons_of_what_has_pixels():
    found = seen(
        (C.HARD_HAT, (20, 20, 60, 60), disc()),
        (C.FACE_WITH_MASK, (20, 40, 60, 90), None),
        (C.PERSON, (10, 10, 80, 118), disc()),
        (C.FACE_MASK, (30, 60, 50, 80), None),
    )
    rows = {row["category"]: row for row in coco_rows("a.jpg", None, found, min_score=0.5)}
    assert {name for name, row in rows.items() if "segmentation" in row} == {"hard_hat", "person"}
    (polygon,) = rows["hard_hat"]["segmentation"]
    assert len(polygon) % 2 == 0
    assert len(polygon) >= 6
    assert 22 <= min(polygon) < max(polygon) <= 58


def coloured(picture):
    return np.ptp(picture.astype(int), axis=2) > 0


@pytest.mark.parametrize("kind", [C.HARD_HAT, C.HAT, C.FACE_MASK])
def test_splash_keeps_the_pixels_of_garments(kind):
    rgb = np.zeros((*HW, 3), np.uint8)
    rgb[..., 0] = 200
    found = seen((kind, (20, 20, 60, 60), disc()), (C.PERSON, (0, 0, 160, 120), disc()))
    expected = paste_seg_mask(disc(), (20, 20, 60, 60), HW)
    np.testing.assert_array_equal(coloured(splash(rgb, found, min_score=0.5)), expected)
    assert not coloured(splash(rgb, found, min_score=0.95)).any()


def test_the_pixels_of_a_mask_stand_for_the_lower_face():
    rgb = np.zeros((*HW, 3), np.uint8)
    rgb[..., 0] = 200
    face = (C.FACE_WITH_MASK, (20, 20, 60, 80), None)
    alone = coloured(splash(rgb, seen(face, (C.PERSON, (0, 0, 9, 9), disc())), min_score=0.5))
    assert alone[20:80, 20:60].all()
    both = coloured(splash(rgb, seen(face, (C.FACE_MASK, (25, 50, 55, 78), disc())), min_score=0.5))
    np.testing.assert_array_equal(both, paste_seg_mask(disc(), (25, 50, 55, 78), HW))


def test_copies_show_the_pixels_of_garments():
    rgb = np.full((*HW, 3), 100, np.uint8)
    picture = annotated(rgb, seen((C.HARD_HAT, (20, 30, 80, 90), disc())), min_score=0.5).astype(int)
    green = np.array(COLORS[C.HARD_HAT])
    middle, corner = picture[60, 50], picture[34, 25]
    assert np.abs(middle - (0.7 * 100 + 0.3 * green)).max() <= 1
    assert (corner == 100).all()
