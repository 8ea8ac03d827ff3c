"""Alerts with frames, for the tests of feedback: an outbox, a desk with a clock of its own, and what it said."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from alerts.alert_factory import CONFIRMED_AT, make_alert

from rules import AreaPolicy
from streamer.alerts.outbox import Outbox
from streamer.feedback.desk import FeedbackDesk
from streamer.feedback.example import Example
from streamer.feedback.example_store import ExampleLimits

DAY_S = 86_400.0
HEAD = (830.0, 220.0, 890.0, 300.0)


def frame_jpeg(hue: int = 0, hw: tuple[int, int] = (90, 160)) -> bytes:
    return cv2.imencode(".jpg", np.full((*hw, 3), (hue % 256, 90, 200), np.uint8))[1].tobytes()


def example(number: int = 0, *, at: float = CONFIRMED_AT, **facts) -> Example:
    told = {
        "rule": "hard hats on the apron",
        "zone": "apron",
        "missing": ["hard_hat"],
        "score": 0.93,
        "box": [81.2, 21.4, 93.4, 61.0],
        "head": [83.0, 22.0, 89.0, 30.0],
        "evidence": {},
        "frame_size": [160, 90],
        "hidden": [],
        "polygons": [],
        "models": {"maskrcnn": "sha256:cd"},
        "detections": [
            {"category": "bare_head", "box": [83.0, 22.0, 89.0, 30.0], "score": 0.93},
            {"category": "person", "box": [81.2, 21.4, 93.4, 61.0], "score": 0.97},
            {"category": "hard_hat", "box": [10.0, 20.0, 20.0, 28.0], "score": 0.88},
            {"category": "person", "box": [5.0, 20.0, 30.0, 80.0], "score": 0.31},
        ],
        **facts,
    }
    return Example("gate", at, frame_jpeg(number), told)


@dataclass
class FeedbackSite:
    """``now`` is the wall clock of the desk."""

    state_dir: Path
    policy: AreaPolicy = field(default_factory=AreaPolicy)
    limits: ExampleLimits = field(default_factory=ExampleLimits)
    now: float = CONFIRMED_AT + 60
    mono_s: float = 0.0
    events: list[tuple[str, bytes]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.state_dir)
        self.desk = FeedbackDesk(
            self.outbox,
            policy=self.policy,
            limits=self.limits,
            on_areas=self.changed.append,
            announce=lambda topic, payload: self.events.append((topic, payload)),
            wall_clock=lambda: self.now,
            clock=lambda: self.mono_s,
        )

    def restart(self) -> None:
        self.outbox.close()
        self.open()

    def alert(
        self, alert_id: str, *, head=HEAD, at: float = CONFIRMED_AT, frame: bool = False, **changes
    ) -> str:
        changed = {"head_xyxy": head, "started_at": at - 2, "confirmed_at": at, **changes}
        self.outbox.enqueue(make_alert(alert_id, **changed), at=at)
        if frame:
            self.desk.keep(alert_id, example(at=at))
        return alert_id

    def housekeep(self, *, at: float | None = None) -> None:
        self.now = self.now if at is None else at
        self.mono_s += 120
        self.desk.housekeeping()
