"""Boxes ``(x1, y1, x2, y2)`` in original pixels, half-open, never clipped to the picture."""

Box = tuple[float, float, float, float]
Point = tuple[float, float]


def area(box: Box) -> float:
    """Area in square pixels, 0 for a box that ends before it begins."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    """Area that both boxes cover, in square pixels."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = overlap(a, b)
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


def covered(box: Box, by: Box) -> float:
    """The part of ``box`` that ``by`` covers, 0 to 1."""
    own = area(box)
    return overlap(box, by) / own if own > 0 else 0.0


def center(box: Box) -> Point:
    """Middle of the box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def height(box: Box) -> float:
    """Height in pixels."""
    return box[3] - box[1]


def width(box: Box) -> float:
    """Width in pixels."""
    return box[2] - box[0]
