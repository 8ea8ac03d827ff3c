"""Looks through a detector, without rules, threads or clock."""

import itertools
from collections.abc import Iterator
from typing import Final

from models.detector import Detector
from models.letterbox import default_input_size, input_hw_for
from models.structures import Detections
from streamer.detect.material import Look

#: Frames that are looked at together; so many are held in memory.
_BATCH: Final = 4


def detections_of(
    looks: Iterator[Look], detector: Detector, *, longest_side_px: int | None
) -> Iterator[tuple[Look, Detections]]:
    """Each look with what is in it, in order. Neighbours of one size share a batch.

    ``longest_side_px``: at which the network looks; None chooses by the picture's size, as for a camera.
    """
    for image_hw, same_size in itertools.groupby(looks, key=lambda look: look.picture.image_hw):
        input_hw = input_hw_for(image_hw, longest_side_px or default_input_size(image_hw))
        while batch := list(itertools.islice(same_size, _BATCH)):
            yield from zip(batch, detector.detect([look.picture for look in batch], input_hw), strict=True)
