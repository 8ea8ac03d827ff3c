"""The frame that decided an alert as it is kept for training: its picture, what was seen in it, and why it alarmed.

The picture carries no annotation. Privacy polygons are black and heads are unrecognisable as the camera's settings say,
before it is encoded.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.structures import Category, Detections
from rules import Violation
from rules.geometry import Box
from streamer.alerts.errors import SnapshotError
from streamer.alerts.privacy import Polygon, made_private
from streamer.outlines import outlines_of

#: The first quality that fits the budget is taken; the size stays, for small heads need every pixel.
QUALITIES: Final = (90, 80, 70, 55)
MAX_BYTES: Final = 1_500_000


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture and its facts (JSON), of one alert; ``frame_time`` UTC epoch seconds."""

    camera: str
    frame_time: float
    jpeg: bytes
    facts: Mapping[str, Any] = field(default_factory=dict)

    def facts_json(self) -> bytes:
        """The facts as they are stored."""
        return json.dumps(self.facts, ensure_ascii=False, separators=(",", ":")).encode()


def make_example(
    rgb: NDArray[np.uint8],
    *,
    violation: Violation,
    detections: Detections,
    frame_time: float,
    hidden_heads: Sequence[Box],
    privacy_polygons: Sequence[Polygon],
    model_digests: Mapping[str, str],
) -> Example:
    """Keep a frame; ``rgb`` is not changed. ``hidden_heads`` are made unrecognisable, and told as such.

    Raises ``SnapshotError`` when it cannot be encoded.
    """
    private = made_private(rgb, heads_xyxy=hidden_heads, polygons=privacy_polygons)
    facts = {
        "rule": violation.rule,
        "zone": violation.zone,
        "missing": [str(gear) for gear in violation.gear],
        "score": round(violation.score, 4),
        "box": _rounded(violation.box_xyxy),
        "head": None if violation.head_xyxy is None else _rounded(violation.head_xyxy),
        "evidence": {
            str(gear): {"state": str(seen.state), "score": round(seen.score, 4), "reason": seen.reason}
            for gear, seen in violation.evidence.items()
        },
        "frame_size": [rgb.shape[1], rgb.shape[0]],
        "hidden": [_rounded(head) for head in hidden_heads],
        "polygons": [list(polygon) for polygon in privacy_polygons],
        "models": dict(model_digests),
        "detections": [_row(detections, index) for index in range(len(detections))],
    }
    return Example(violation.camera_id, frame_time, _encoded(private), facts)


def _encoded(rgb: NDArray[np.uint8]) -> bytes:
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    for quality in QUALITIES:
        done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not done:
            raise SnapshotError("the frame cannot be encoded as JPEG")
        if len(encoded) <= MAX_BYTES:
            break
    return encoded.tobytes()


def _row(detections: Detections, index: int) -> dict[str, Any]:
    """One thing that the models saw; the numbers of faces are their masks' states, nobody's identity."""
    x1, y1, x2, y2 = (float(value) for value in detections.boxes_xyxy[index])
    row: dict[str, Any] = {
        "category": Category(int(detections.class_ids[index])).label,
        "box": _rounded((x1, y1, x2, y2)),
        "score": round(float(detections.scores[index]), 4),
    }
    if detections.face_mask_probs is not None and detections.face_mask_probs[index].any():
        row["face_mask_probs"] = [round(float(value), 4) for value in detections.face_mask_probs[index]]
    polygons = outlines_of(detections, index)
    if polygons:
        row["polygons"] = [
            [round(value, 1) for corner in polygon for value in corner] for polygon in polygons
        ]
    return row


def _rounded(box: Box) -> list[float]:
    return [round(value, 2) for value in box]
