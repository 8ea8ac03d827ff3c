"""Makes a finished JPEG smaller for a broker that takes less than the snapshot was made for."""

from hashlib import sha256

import cv2
import numpy as np

from streamer.alerts.errors import SnapshotError


def shrink_jpeg(jpeg: bytes, max_bytes: int) -> bytes:
    """Encode the picture again within ``max_bytes``: first with less quality, then at less size.
    Deterministic.

    Raises ``SnapshotError`` when it is no picture or the budget is too small for a picture of 160 pixels.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SnapshotError("the stored snapshot is no JPEG")
    height, width = picture.shape[:2]
    scale = 1.0
    while max(height, width) * scale >= 160 or scale == 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        scaled = picture if scale == 1.0 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        for quality in (75, 60, 45):
            done, encoded = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if done and len(encoded) <= max_bytes:
                return encoded.tobytes()
        scale *= 0.75
    raise SnapshotError(f"no picture fits into {max_bytes} bytes")


def snapshot_digest(jpeg: bytes) -> tuple[str, int]:
    """SHA-256 in hexadecimal and the size in bytes, as an alert names them."""
    return sha256(jpeg).hexdigest(), len(jpeg)
