import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from config.polygons import parse_polygon

SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


@pytest.mark.parametrize(
    "written",
    [
        "0.1,0.1, 0.9,0.1, 0.9,0.9, 0.1,0.9",
        "0.1,0.1,0.9,0.1,0.9,0.9,0.1,0.9,0.1,0.1",
        [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]],
        [["0.1", 0.1], (0.9, 0.1), [0.9, 0.9], [0.1, "0.9"], [0.1, 0.1]],
    ],
)
def test_all_ways_to_write_a_square(written):
    assert parse_polygon(written) == SQUARE


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("0,0, 1,0", "3 to 100 corners, this one has 2"),
        ("0,0, 1,0, 0,0", "this one has 2"),
        ("0,0, 1,0, 1", "an odd count"),
        ("0,0, 1,x, 1,1", "with numbers from 0 to 1"),
        ("0,0, 1,nan, 1,1", "with numbers from 0 to 1"),
        ("0,0, 1,1e999, 1,1", "with numbers from 0 to 1"),
        ("", "with numbers from 0 to 1"),
        (7, "with numbers from 0 to 1"),
        ([1, 2, 3], "list of \\[x, y\\] pairs"),
        ("0,0, 1.2,0, 1,1", "corner 2 \\(1.2,0\\) lies outside the picture, 0 to 1$"),
        ("0,0, 1920,0, 1920,1080", "divide pixels by the picture's width and height"),
        ("0,0, -0.1,0, 1,1", "lies outside"),
        ("0,0, 0,0, 1,0, 1,1", "corner 1 stands twice in a row"),
        ("0,0, 1,1, 1,0, 0,1", "sides 1 and 3 of the polygon cross"),
        ("0,0, 0.5,0.5, 1,1", "lie on each other"),
        ("0,0, 1,0, 0.5,0, 0.5,1", "lie on each other"),
        ("0,0, 1,0, 1,1, 0.5,0, 0,1", "cross"),
        ("0.5,0.5, 0.5001,0.5, 0.5,0.5001", "next to no area"),
        (",".join(["0.5,0.5"] * 102), "corners, this one has"),
    ],
)
def test_wrong_polygons_are_explained(written, message):
    with pytest.raises(ValueError, match=message):
        parse_polygon(written)


@given(st.lists(st.floats(0, 2 * math.pi), min_size=3, max_size=20, unique=True), st.floats(0.05, 0.5))
@settings(deadline=None)
def test_corners_around_a_circle_are_always_a_polygon(angles, radius):
    angles = sorted(angles)
    assume(min(b - a for a, b in itertools.pairwise(angles)) > 0.05)
    assume(2 * math.pi - angles[-1] + angles[0] > 0.05)
    corners = [(0.5 + radius * math.cos(a) * 0.99, 0.5 + radius * math.sin(a) * 0.99) for a in angles]
    area = (
        abs(
            sum(
                x1 * y2 - x2 * y1
                for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True)
            )
        )
        / 2
    )
    assume(area > 2e-4)
    text = ", ".join(f"{x!r},{y!r}" for x, y in corners)
    assert parse_polygon(text) == tuple(corners)


@given(st.permutations(range(5)))
@settings(deadline=None)
def test_of_five_points_on_a_circle_only_the_order_around_is_simple(order):
    angles = [2 * math.pi * index / 5 for index in order]
    corners = [(0.5 + 0.4 * math.cos(a), 0.5 + 0.4 * math.sin(a)) for a in angles]
    steps = {(b - a) % 5 for a, b in zip(order, [*order[1:], order[0]], strict=True)}
    if steps in ({1}, {4}):
        assert len(parse_polygon(corners)) == 5
    else:
        with pytest.raises(ValueError, match="cross"):
            parse_polygon(corners)
