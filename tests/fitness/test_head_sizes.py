"""Heads by zone: medians and the part that is too small."""

import numpy as np
import pytest

from models.structures import Category, Detections, PersonObservation
from rules import Track
from rules.quality import LARGE_ENOUGH_PX, TOO_SMALL_PX
from rules.track import TrackState
from streamer.fitness import head_sizes
from streamer.fitness.head_sizes import HeadSizes
from streamer.judging.heads_measured import count_heads


def test_the_heights_are_those_of_the_rules() -> None:
    assert (head_sizes.TOO_SMALL_PX, head_sizes.LARGE_ENOUGH_PX) == (TOO_SMALL_PX, LARGE_ENOUGH_PX)


def test_medians_and_shares_by_zone() -> None:
    sizes = HeadSizes(["near", "far", "empty"])
    for height in (6.0, 8.0, 14.0, 16.0):
        sizes.add(height, ["far"])
    for height in (40.0, 44.0, 48.0):
        sizes.add(height, ["near", "unknown"])
    whole, near, far, empty = sizes.report()
    assert (whole.zone, whole.looks) == (None, 7)
    assert near.median_px == pytest.approx(44, rel=0.05)
    assert (near.too_small, near.small) == (0.0, 0.0)
    assert (far.too_small, far.small) == (0.5, 1.0)
    assert (empty.looks, empty.median_px) == (0, None)


def test_what_was_seen_lately_counts_more() -> None:
    sizes = HeadSizes()
    for _ in range(60_000):
        sizes.add(12.0)
    for _ in range(60_000):
        sizes.add(40.0)
    assert sizes.report()[0].median_px == pytest.approx(40, rel=0.05)


def track(box, head, *, at=10.0, zones=(), state=TrackState.CONFIRMED, is_static=False) -> Track:
    seen = PersonObservation(box, head, 0.9)
    return Track("gate", 1, state, 0.0, at, seen, zones=zones, is_static=is_static)


def test_only_people_whom_the_look_shows_are_counted_at_the_scale_of_their_tile() -> None:
    detections = Detections(
        image_hw=(1080, 1920),
        boxes_xyxy=np.array([[100, 100, 120, 130], [500, 100, 560, 180]], np.float32),
        scores=np.array([0.9, 0.9], np.float32),
        class_ids=np.array([int(Category.BARE_HEAD)] * 2, np.int32),
        input_scale=0.5,
        row_scales=np.array([1.0, 0.5], np.float32),
    )
    sizes = HeadSizes(["apron"])
    count_heads(
        sizes,
        [
            track((90, 100, 130, 300), (100, 100, 120, 130), zones=("apron",)),
            track((480, 100, 600, 700), (500, 100, 560, 180)),
            track((0, 0, 50, 300), (0, 0, 50, 60), at=9.0),
            track((0, 0, 50, 300), (0, 0, 50, 60), is_static=True),
            track((0, 0, 50, 300), (0, 0, 50, 60), state=TrackState.TENTATIVE),
        ],
        detections,
        10.0,
    )
    whole, apron = sizes.report()
    assert (whole.looks, apron.looks) == (2, 1)
    assert apron.median_px == pytest.approx(30, rel=0.05)


def test_a_body_without_a_head_counts_by_its_proportions() -> None:
    sizes = HeadSizes()
    count_heads(sizes, [track((0, 0, 100, 400), None)], Detections.empty((480, 640), 0.25), 10.0)
    assert 5 < sizes.report()[0].median_px < 20
