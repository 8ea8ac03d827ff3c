"""Alerts and pictures for tests."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from streamer.alerts.payload import Alert, AlertType, Evidence, SnapshotInfo

PREFIX = "ppewatch/north-yard"
CONFIRMED_AT = 1795245244.520


def make_alert(
    alert_id: str = "01JD0000000000000000000001", jpeg: bytes | None = None, **changes: Any
) -> Alert:
    """The alert of the contract's example; ``jpeg`` becomes its snapshot."""
    alert = Alert(
        type=AlertType.NEW,
        alert_id=alert_id,
        site="north-yard",
        camera="gate",
        zone="apron",
        rule="hard hats on the apron",
        missing=("hard_hat",),
        severity="alert",
        track_id=17,
        score=0.93,
        box_xyxy=(812.0, 214.0, 934.0, 610.0),
        image_hw=(1080, 1920),
        started_at=1795245242.480,
        confirmed_at=CONFIRMED_AT,
        evidence={"hard_hat": Evidence("missing", 0.93, "bare head 0.93, no hard hat on it")},
        models={"retinaface": "sha256:ab", "maskrcnn": "sha256:cd"},
        config_revision="sha256:ef",
    )
    if jpeg is not None:
        info = SnapshotInfo.of(jpeg, topic_prefix=PREFIX, alert_id=alert_id, frame_time=CONFIRMED_AT)
        alert = replace(alert, snapshot=info)
    return replace(alert, **changes)


def picture_bytes(number: int, size: int = 20_000) -> bytes:
    """Bytes that differ by number; the outbox and the broker do not look into them."""
    return number.to_bytes(4, "big") * (size // 4)


def noise_jpeg(number: int) -> bytes:
    """A real JPEG of several hundred kB that differs by number."""
    noise = np.random.default_rng(number).integers(0, 256, (540, 960, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()
