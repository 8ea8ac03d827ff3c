"""How large the heads of a look are at the network's input."""

from collections.abc import Iterable

import numpy as np

from models.structures import Detections
from rules import Track
from rules.proportions import head_from_body
from rules.track import TrackState
from streamer.fitness.head_sizes import HeadSizes


def count_heads(
    sizes: HeadSizes, tracks: Iterable[Track], detections: Detections, captured_at: float | None
) -> None:
    """Count those whom this look shows. Where only the body was seen the head is taken from its proportions: that it
    was not seen may be because it is small. Static things are
    nobody, and so is who is not sure to be there.
    """
    for track in tracks:
        if track.is_static or track.state is TrackState.TENTATIVE or track.last_seen_at != captured_at:
            continue
        box = track.observation.head_xyxy or head_from_body(track.observation.box_xyxy)
        sizes.add((box[3] - box[1]) * _scale_at(detections, box), track.zones)


def _scale_at(detections: Detections, head: tuple[float, float, float, float]) -> float:
    """Network pixels per pixel of the picture at a head: the largest of what was seen there, in whichever tile."""
    if detections.row_scales is None:
        return detections.input_scale
    boxes = detections.boxes_xyxy
    x, y = (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
    holds = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
    return float(np.max(detections.row_scales[holds], initial=detections.input_scale))
