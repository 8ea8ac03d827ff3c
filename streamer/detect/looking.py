"""Looks through a detector, without rules, threads or clock."""

import itertools
from collections.abc import Iterator
from typing import Final

from models.detector import Detector
from models.letterbox import default_input_size, input_hw_for
from models.structures import Detections
from models.tiles import detect_views, grid_views
from streamer.detect.material import Look

#: Frames that are looked at together; so many are held in memory.
_BATCH: Final = 4


def detections_of(
    looks: Iterator[Look],
    detector: Detector,
    *,
    longest_side_px: int | None,
    grid: tuple[int, int] = (1, 1),
    overlap: float = 0.2,
) -> Iterator[tuple[Look, Detections]]:
    """Each look with what is in it, in order. Neighbours of one size share a batch.

    ``longest_side_px``: at which the network looks; None chooses by the picture's size, as for a camera. ``grid``:
    columns and rows of tiles that are looked at beside the whole picture (see ``models.tiles``).
    """
    columns, rows = grid
    for image_hw, same_size in itertools.groupby(looks, key=lambda look: look.picture.image_hw):
        input_hw = input_hw_for(image_hw, longest_side_px or default_input_size(image_hw))
        views = grid_views(image_hw, columns=columns, rows=rows, overlap=overlap)
        while batch := list(itertools.islice(same_size, _BATCH)):
            pictures = [look.picture for look in batch]
            seen = detect_views(detector, pictures, [views] * len(batch), input_hw, at_most=_BATCH)
            yield from zip(batch, seen, strict=True)
