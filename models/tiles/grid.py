"""A picture in columns and rows of tiles that overlap."""

from models.tiles.views import Cell, View, whole_view


def grid_views(image_hw: tuple[int, int], *, columns: int, rows: int, overlap: float) -> tuple[View, ...]:
    """The whole picture, then its tiles row by row.

    All tiles are of one size, cover the picture, and share ``overlap`` (0 to below 1) of their width and height with
    each neighbour, or a few pixels more: what is no larger than that lies wholly in one tile at least. One column and
    one row is the picture alone. Raises ``ValueError`` on counts below 1 or an overlap out of range.
    """
    whole = whole_view(image_hw)
    if columns == rows == 1:
        return (whole,)
    height, width = image_hw
    across, down = _spans(width, columns, overlap), _spans(height, rows, overlap)
    tiles = []
    for top, bottom in down:
        for left, right in across:
            shown = (0, 0, right - left, bottom - top)
            tiles.append(
                View(image_hw, (bottom - top, right - left), (Cell((left, top, right, bottom), shown),))
            )
    return whole, *tiles


def _spans(length: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """``count`` parts of ``length`` pixels, as long as each other, the first at its beginning, the last at its end.

    They begin and end at even numbers where the length allows it: video has one chroma sample for two pixels.
    """
    if count < 1 or not 0 <= overlap < 1:
        raise ValueError(f"at least one column and row, an overlap of 0 to below 1: got {count}, {overlap}")
    exact = length / (count - (count - 1) * overlap)
    # what rounding the beginnings down may take from an overlap
    spare = 2 if count > 1 else 0
    part = min(length, 2 * int(-(-exact // 2)) + spare)
    step = (length - part) / max(1, count - 1)
    starts = [int(index * step) // 2 * 2 for index in range(count - 1)] + [length - part]
    return [(start, start + part) for start in starts]
