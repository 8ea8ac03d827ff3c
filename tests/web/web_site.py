"""A site's state for the web tests: plain values behind the protocol."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import cv2
import numpy as np

from streamer.web.status import AlertSummary, CameraStatus, OutboxStatus, StageStatus, WorkerStatus

FIRST_ALERT = "01JD3Z6Q8YB2M4T7VN5C9K0XWE"


def jpeg_picture(hue: int = 30) -> bytes:
    picture = np.full((360, 640, 3), (hue * 2, 120, 90), np.uint8)
    cv2.rectangle(picture, (240, 80), (400, 340), (60, 60, 230), 4)
    done, data = cv2.imencode(".jpg", picture)
    assert done
    return data.tobytes()


@dataclass
class Site:
    """A ``StatusSource`` whose values a test may replace."""

    now: float = field(default_factory=time.time)
    camera_list: list[CameraStatus] = field(default_factory=list)
    alert_list: list[AlertSummary] = field(default_factory=list)
    stage_list: list[StageStatus] = field(default_factory=list)
    worker_status: WorkerStatus = field(default_factory=lambda: WorkerStatus(ready=False, device="cpu"))
    outbox_status: OutboxStatus = field(
        default_factory=lambda: OutboxStatus(connected=False, broker="127.0.0.1:1883")
    )
    snapshots: dict[str, bytes] = field(default_factory=dict)
    failure: Exception | None = None

    def cameras(self) -> Sequence[CameraStatus]:
        if self.failure:
            raise self.failure
        return self.camera_list

    def alerts(self, limit: int) -> Sequence[AlertSummary]:
        return self.alert_list[:limit]

    def stages(self) -> Sequence[StageStatus]:
        return self.stage_list

    def worker(self) -> WorkerStatus:
        return self.worker_status

    def outbox(self) -> OutboxStatus:
        return self.outbox_status

    def snapshot(self, alert_id: str) -> bytes | None:
        return self.snapshots.get(alert_id)


def busy_site() -> Site:
    """A site with everything that the page can show."""
    site = Site()
    now = site.now
    common = {"rule": "face masks at the entrance", "missing": ("face_mask",), "severity": "alert"}
    site.camera_list = [
        CameraStatus(
            camera="entrance",
            state="online",
            since=now - 4000,
            fps=4.9,
            wanted_fps=5,
            last_frame_age_s=0.21,
            held_looks=41,
        ),
        CameraStatus(
            camera="loading-dock",
            state="refused",
            since=now - 90,
            reason="the camera refused the user or the password",
            wanted_fps=5,
            reconnects=3,
        ),
        CameraStatus(camera="store", state="disabled", since=now - 90_000),
    ]
    site.alert_list = [
        AlertSummary(
            alert_id=FIRST_ALERT,
            camera="entrance",
            zone="desk",
            phase="open",
            started_at=now - 12,
            confirmed_at=now - 10,
            score=0.96,
            reason="face without mask 0.96",
            snapshot_sha256=sha256(jpeg_picture()).hexdigest(),
            **common,
        ),
        AlertSummary(
            alert_id="01JD3Z6Q8YB2M4T7VN5C9K0XWD",
            camera="loading-dock",
            zone=None,
            phase="ended",
            started_at=now - 190_000,
            confirmed_at=now - 189_998,
            ended_at=now - 189_970,
            end_reason="left_view",
            score=0.88,
            delivered=True,
            **common,
        ),
    ]
    site.stage_list = [
        StageStatus(name="inference", late=False, last_beat_age_s=0.2, limit_s=20),
        StageStatus(name="rules", late=False, last_beat_age_s=0.2, limit_s=10),
        StageStatus(name="outbox", late=False, last_beat_age_s=1.0, limit_s=30),
    ]
    site.worker_status = WorkerStatus(
        ready=True,
        device="cpu",
        frames=1234,
        batches=600,
        failed_batches=1,
        frames_per_s=9.8,
        latency_s=0.142,
        models={"retinaface": "sha256:" + "ab" * 32},
    )
    site.outbox_status = OutboxStatus(
        connected=True, broker="127.0.0.1:1883", last_seq=1841, pending=1, pending_bytes=48_211, kept=1840
    )
    site.snapshots = {FIRST_ALERT: jpeg_picture()}
    return site
