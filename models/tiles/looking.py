"""Pictures shown to a detector in several views each."""

from collections.abc import Sequence

from models.detector import Detector
from models.structures import Detections, Picture
from models.tiles.merging import merge_views
from models.tiles.picture import ViewPicture
from models.tiles.views import View


def pictures_of(picture: Picture, views: Sequence[View]) -> list[Picture]:
    """What the networks are shown of one picture, in the order of ``views``."""
    return [picture if view.is_whole else ViewPicture(picture, view) for view in views]


def detect_views(
    detector: Detector,
    pictures: Sequence[Picture],
    views: Sequence[Sequence[View]],
    input_hw: tuple[int, int],
    *,
    at_most: int = 4,
) -> list[Detections]:
    """What is in each of ``pictures`` by its ``views`` (at least one each), in their order; see ``merge_views``.

    The detector is given up to ``at_most`` views at once, whichever pictures they are of. Raises what it raises.
    """
    shown = [one for picture, own in zip(pictures, views, strict=True) for one in pictures_of(picture, own)]
    seen: list[Detections] = []
    for start in range(0, len(shown), at_most):
        seen += detector.detect(shown[start : start + at_most], input_hw)
    merged, start = [], 0
    for own in views:
        merged.append(merged_look(own, seen[start : start + len(own)]))
        start += len(own)
    return merged


def merged_look(views: Sequence[View], seen: Sequence[Detections]) -> Detections:
    """``merge_views``; what was seen of the whole picture alone is left as it is."""
    if len(views) == 1 and views[0].is_whole:
        return seen[0]
    return merge_views(views, seen)
