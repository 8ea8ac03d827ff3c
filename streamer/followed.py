"""What the judging tells the inference of a camera: where the heads are at which to look again, one way."""

Box = tuple[float, float, float, float]


class FollowedHeads:
    """The heads of those who are followed at a camera, as of its latest look that was judged.

    ``boxes`` holds ``(x1, y1, x2, y2)`` in pixels of the picture by track id; by numbers from 0 downwards, the surest
    first, what may be heads of which no track is sure yet. The judge's thread replaces it after each
    look, the inference's thread reads it: one reference, which CPython reads and writes whole, so it needs no lock. The
    mapping itself is never changed.
    """

    __slots__ = ("boxes",)

    def __init__(self) -> None:
        self.boxes: dict[int, Box] = {}
