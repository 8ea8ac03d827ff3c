"""Polygons in relative coordinates: ``"0.03,0.30, 0.97,0.30, 0.97,0.99"``, x to the right, y down."""

from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

Point = tuple[float, float]
Polygon = tuple[Point, ...]

MIN_POINTS: Final = 3
MAX_POINTS: Final = 100
#: A ten-thousandth of the picture: 14 x 14 pixels at 1080p. Less is a typing error, not a zone.
MIN_AREA: Final = 1e-4


def parse_polygon(value: Any) -> Polygon:
    """The corners ``(x, y)``; takes one comma string or a list of pairs. A closing point equal to the first
    is dropped.

    Raises ``ValueError``: fewer than 3 or more than 100 corners, a coordinate outside 0 to 1, a corner twice
    in a row, sides that cross or touch each other, or an area below ``MIN_AREA``.
    """
    points = _points(value)
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    if not MIN_POINTS <= len(points) <= MAX_POINTS:
        raise ValueError(f"a polygon has {MIN_POINTS} to {MAX_POINTS} corners, this one has {len(points)}")
    for number, (x, y) in enumerate(points, start=1):
        if not (0 <= x <= 1 and 0 <= y <= 1):
            hint = "; divide pixels by the picture's width and height" if max(x, y) > 2 else ""
            raise ValueError(f"corner {number} ({x:g},{y:g}) lies outside the picture, 0 to 1{hint}")
    sides = list(pairwise((*points, points[0])))
    for number, (start, end) in enumerate(sides, start=1):
        if start == end:
            raise ValueError(f"corner {number} stands twice in a row")
    _check_simple(sides)
    if abs(_signed_area(sides)) < MIN_AREA:
        raise ValueError("the polygon has next to no area")
    return points


def _points(value: Any) -> Polygon:
    form = 'should be "x1,y1, x2,y2, x3,y3, ..." with numbers from 0 to 1'
    if isinstance(value, str):
        fields = value.split(",")
        numbers = [_number(field, form) for field in fields]
        if len(numbers) % 2:
            raise ValueError(f"{form}; this has {len(numbers)} numbers, an odd count")
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if not isinstance(value, list | tuple):
        raise ValueError(form)  # noqa: TRY004 - pydantic collects ValueError
    points = []
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"{form}, or a list of [x, y] pairs")
        points.append((_number(pair[0], form), _number(pair[1], form)))
    return tuple(points)


def _number(value: Any, form: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(form)  # noqa: TRY004 - pydantic collects ValueError
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = float("nan")
    if not abs(number) <= 1e6:
        raise ValueError(form)
    return number


def _signed_area(sides: list[tuple[Point, Point]]) -> float:
    """Shoelace formula, in parts of the picture's area."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in sides) / 2


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on_side(a: Point, b: Point, point: Point) -> bool:
    return (
        _turn(a, b, point) == 0
        and min(a[0], b[0]) <= point[0] <= max(a[0], b[0])
        and min(a[1], b[1]) <= point[1] <= max(a[1], b[1])
    )


def _meet(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = first, second
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return True
    return _on_side(a, b, c) or _on_side(a, b, d) or _on_side(c, d, a) or _on_side(c, d, b)


def _check_simple(sides: list[tuple[Point, Point]]) -> None:
    count = len(sides)
    for i in range(count):
        following = sides[(i + 1) % count]
        # neighbours share one corner; more than that is a spike that runs back on itself
        if _on_side(*sides[i], following[1]) or _on_side(*following, sides[i][0]):
            raise ValueError(f"sides {i + 1} and {(i + 1) % count + 1} of the polygon lie on each other")
        for j in range(i + 2, count):
            if (j + 1) % count != i and _meet(sides[i], sides[j]):
                raise ValueError(
                    f"sides {i + 1} and {j + 1} of the polygon cross; list the corners in order around it"
                )


#: Corners in relative coordinates, in the order around the polygon.
RelativePolygon = Annotated[
    Polygon,
    BeforeValidator(parse_polygon),
    Field(min_length=MIN_POINTS, max_length=MAX_POINTS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\s*[0-9.eE+-]+(\s*,\s*[0-9.eE+-]+)+\s*$"},
                {
                    "type": "array",
                    "minItems": MIN_POINTS,
                    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
                },
            ]
        },
        mode="validation",
    ),
]
