"""Copies of a camera's pictures as its settings want them. There is no alert, so everybody is a bystander."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections
from streamer.alerts.privacy import Blur, Polygon, heads_to_blur, made_private
from streamer.judging.shown import bodies_shown, heads_shown


def private_copy(
    rgb: NDArray[np.uint8], detections: Detections, *, blur: Blur, polygons: Sequence[Polygon]
) -> NDArray[np.uint8]:
    """A copy of ``rgb`` (H, W, 3): polygons black and, unless ``blur`` is none, every head that was seen blurred."""
    heads = heads_to_blur(
        Blur.NONE if blur is Blur.NONE else Blur.EVERYONE,
        faces_xyxy=heads_shown(detections),
        violator_xyxy=None,
        violator_head_xyxy=None,
        others_xyxy=(),
        bodies_xyxy=bodies_shown(detections),
    )
    return made_private(rgb, heads_xyxy=heads, polygons=polygons)
