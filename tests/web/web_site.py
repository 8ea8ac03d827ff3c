"""A site's state for the web tests: plain values behind the protocol."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import cv2
import numpy as np

from streamer.alerts.alert_search import AlertFilter
from streamer.history.buckets import BUCKET_S, Bucket, PersonSeconds, Place, bucket_start
from streamer.live.look import LiveGear, LiveLook, LivePerson, LivePicture
from streamer.web.status import (
    AlertCount,
    AlertDetail,
    AlertStep,
    AlertSummary,
    CameraStatus,
    FindingStatus,
    HeadsStatus,
    HealthStatus,
    OutboxStatus,
    PeopleCount,
    StageStatus,
    SuppressionStatus,
    TraceEntry,
    WebhookStatus,
    WorkerStatus,
)

FIRST_ALERT = "01JD3Z6Q8YB2M4T7VN5C9K0XWE"


def jpeg_picture(hue: int = 30) -> bytes:
    picture = np.full((360, 640, 3), (hue * 2, 120, 90), np.uint8)
    cv2.rectangle(picture, (240, 80), (400, 340), (60, 60, 230), 4)
    done, data = cv2.imencode(".jpg", picture)
    assert done
    return data.tobytes()


@dataclass
class Site:
    """A ``StatusSource``, ``LiveSource`` and ``HistorySource`` whose values a test may replace."""

    now: float = field(default_factory=time.time)
    camera_list: list[CameraStatus] = field(default_factory=list)
    alert_list: list[AlertSummary] = field(default_factory=list)
    suppression_list: list[SuppressionStatus] = field(default_factory=list)
    stage_list: list[StageStatus] = field(default_factory=list)
    health_status: HealthStatus = field(
        default_factory=lambda: HealthStatus(state="ready", since=time.time())
    )
    worker_status: WorkerStatus = field(default_factory=lambda: WorkerStatus(ready=False, device="cpu"))
    outbox_status: OutboxStatus = field(
        default_factory=lambda: OutboxStatus(connected=False, broker="127.0.0.1:1883")
    )
    webhook_list: list[WebhookStatus] = field(default_factory=list)
    snapshots: dict[str, bytes] = field(default_factory=dict)
    pictures: dict[str, LivePicture] = field(default_factory=dict)
    watched: list[str] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)
    asked: list[AlertFilter | None] = field(default_factory=list)
    counts: list[AlertCount] = field(default_factory=list)
    people_list: list[PeopleCount] = field(default_factory=list)
    failure: Exception | None = None

    def cameras(self) -> Sequence[CameraStatus]:
        if self.failure:
            raise self.failure
        return self.camera_list

    def alerts(
        self, limit: int, wanted: AlertFilter | None = None, *, before_seq: int | None = None
    ) -> Sequence[AlertSummary]:
        self.asked.append(wanted)
        older = [alert for alert in self.alert_list if before_seq is None or alert.seq < before_seq]
        return older[:limit]

    def alert(self, alert_id: str) -> AlertDetail | None:
        for summary in self.alert_list:
            if summary.alert_id == alert_id:
                return alert_detail(summary)
        return None

    def alert_places(self) -> Sequence[tuple[str, str | None, str]]:
        return sorted({(alert.camera, alert.zone, alert.rule) for alert in self.alert_list}, key=str)

    def watch(self, camera_id: str) -> LivePicture | None:
        self.watched.append(camera_id)
        return self.pictures.get(camera_id)

    def between(self, since: float, until: float, *, camera: str | None = None) -> list[Bucket]:
        return [
            bucket
            for bucket in self.buckets
            if since <= bucket.starts_at < until and camera in (None, bucket.place.camera)
        ]

    def suppressions(self) -> Sequence[SuppressionStatus]:
        return self.suppression_list

    def alert_counts(self) -> Sequence[AlertCount]:
        return self.counts

    def people(self) -> Sequence[PeopleCount]:
        return self.people_list

    def stages(self) -> Sequence[StageStatus]:
        return self.stage_list

    def health(self) -> HealthStatus:
        return self.health_status

    def worker(self) -> WorkerStatus:
        return self.worker_status

    def outbox(self) -> OutboxStatus:
        return self.outbox_status

    def webhooks(self) -> list[WebhookStatus]:
        return self.webhook_list

    def snapshot(self, alert_id: str) -> bytes | None:
        return self.snapshots.get(alert_id)


def alert_detail(summary: AlertSummary) -> AlertDetail:
    """What is kept of an alert: two messages and three notes of the rules."""
    return AlertDetail(
        summary=summary,
        steps=(
            AlertStep(
                seq=summary.seq,
                type="new",
                at=summary.confirmed_at,
                delivered=True,
                evidence={"face_mask": "missing: face without mask 0.96"},
                score=summary.score,
            ),
            AlertStep(
                seq=summary.seq + 1, type="update", at=summary.confirmed_at + 5, delivered=False, score=0.97
            ),
        ),
        trace=(
            TraceEntry(at=summary.started_at, event="missing", detail="face without mask 0.96, quality 0.9"),
            TraceEntry(at=summary.started_at + 0.5, event="dwell", detail="0.5 of 2.0 s"),
            TraceEntry(at=summary.confirmed_at, event="opened", detail="missing for 2.0 s in the zone"),
        ),
        track_id=17,
        box_xyxy=(812, 214, 934, 610),
        frame_wh=(1920, 1080),
        models={"retinaface": "sha256:" + "ab" * 32},
        config_revision="sha256:" + "cd" * 32,
    )


def live_picture(camera: str, at: float) -> LivePicture:
    """A picture with one person without and one with a mask."""
    people = tuple(
        LivePerson(
            track_id=number,
            box_xyxy=(0.1 + 0.4 * number, 0.2, 0.3 + 0.4 * number, 0.95),
            head_xyxy=(0.15 + 0.4 * number, 0.2, 0.25 + 0.4 * number, 0.38),
            head_px=41.3,
            gear={"face_mask": LiveGear(state=state, score=0.9, reason="seen")},
            zones=("desk",),
            alert=state == "missing",
        )
        for number, state in enumerate(("missing", "worn"))
    )
    look = LiveLook(camera=camera, at=at, width=640, height=360, people=people)
    return LivePicture(look, jpeg_picture())


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
            fitness="unfit",
            findings=(FindingStatus(code="moved", since=now - 130, detail="90% of the usual view has gone"),),
            heads=(
                HeadsStatus(zone=None, looks=80, median_px=17.4, too_small=0.25),
                HeadsStatus(zone="desk", looks=80, median_px=17.4, too_small=0.25),
                HeadsStatus(zone="yard", looks=0, median_px=None, too_small=0.0),
            ),
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
            seq=1840,
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
            seq=1702,
            camera="loading-dock",
            zone=None,
            phase="ended",
            started_at=now - 190_000,
            confirmed_at=now - 189_998,
            ended_at=now - 189_970,
            end_reason="left_view",
            score=0.88,
            delivered=True,
            acknowledged_at=now - 180_000,
            acknowledged_by="shift lead <b>",
            verdict="false_alarm",
            verdict_what="face_mask_worn",
            **common,
        ),
    ]
    site.suppression_list = [
        SuppressionStatus(
            area_id="01JD3Z6Q8YB2M4T7VN5C9K0XWA",
            camera="entrance",
            rule="face masks at the entrance",
            head=(0.4, 0.2, 0.44, 0.28),
            alerts=("01JD3Z6Q8YB2M4T7VN5C9K0XW1", "01JD3Z6Q8YB2M4T7VN5C9K0XW2"),
            made_at=now - 90_000,
            expires_at=now + 900_000,
            held=7,
            last_held_at=now - 61,
        )
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
    site.webhook_list = [
        WebhookStatus(name="desk", address="https://hooks.example:443", state="ok", since=now, delivered=12),
        WebhookStatus(
            name="archive",
            address="https://archive.example:443",
            state="failing",
            reason="busy",
            detail="it answers 503: it is busy",
            since=now - 90,
            pending=4,
            oldest_pending_age_s=88.0,
            next_attempt_s=20.0,
            failed_attempts=6,
            dropped=2,
        ),
    ]
    site.snapshots = {FIRST_ALERT: jpeg_picture()}
    site.pictures = {"entrance": live_picture("entrance", now)}
    site.counts = [AlertCount(camera="entrance", rule=common["rule"], raised=7, open=1)]
    site.people_list = [
        PeopleCount(
            camera="entrance",
            zone=zone,
            gear="face_mask",
            with_now=3,
            without_now=2,
            incorrect_now=1,
            indeterminate_now=4,
            worn_s=600.0,
            missing_s=60.0,
            incorrect_s=20.0,
            unknown_s=200.0,
        )
        for zone in (None, "desk")
    ]
    for quarter in range(8):
        for zone, missing in (("", 30.0), ("desk", 90.0 * (quarter % 2))):
            site.buckets.append(
                Bucket(
                    bucket_start(now) - quarter * BUCKET_S,
                    Place("entrance", zone, "face_mask"),
                    PersonSeconds(worn_s=400.0, missing_s=missing, incorrect_s=20.0, unknown_s=180.0),
                )
            )
    return site
