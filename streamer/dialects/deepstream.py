"""DeepStream: what is seen in the minimal schema of its message converter, one message for each look.

``nvmsgconv`` with ``PAYLOAD_DEEPSTREAM_MINIMAL``: version 4.0, an object as one text of parts with bars between:
id, left, top, right, bottom, label, ``#``, attributes, confidence.
"""

import json
from collections.abc import Sequence
from typing import Final

from models.structures import GearState
from rules import Track
from streamer.alerts.payload import utc_iso
from streamer.dialects.seen_box import seen_box

_VERSION: Final = "4.0"


def minimal_message(
    camera_id: str, image_hw: tuple[int, int], frame_index: int, captured_at: float, tracks: Sequence[Track]
) -> bytes:
    """The people who are seen in a frame and of whom a rule asks something; boxes in its pixels, clipped to it.

    The attributes are the gear and its state: ``hard_hat:missing``. The confidence is that of the least sure of them,
    as DeepStream has one number for an object; it is 0 where nothing is known yet.
    """
    objects = [
        _object(track, image_hw)
        for track in tracks
        if track.last_seen_at == captured_at and track.is_relevant and not track.is_static
    ]
    message = {
        "version": _VERSION,
        "id": str(frame_index),
        "@timestamp": utc_iso(captured_at),
        "sensorId": camera_id,
        "objects": objects,
    }
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()


def _object(track: Track, image_hw: tuple[int, int]) -> str:
    box = [f"{side:.1f}" for side in seen_box(track, image_hw)]
    attributes = [f"{gear}:{verdict.state}" for gear, verdict in track.gear.items()]
    confidence = min(
        (0.0 if verdict.state is GearState.UNKNOWN else verdict.score for verdict in track.gear.values()),
        default=0.0,
    )
    return "|".join([str(track.track_id), *box, "person", "#", *attributes, f"{confidence:.3f}"])
