"""How long the rules take for one frame.

Persons walk slowly in a grid with trembling boxes, half of them without a mask, watched by a zone rule and a rule for
the whole picture. Measured in processor time of one core for each ``CameraEngine.observe``; its floor is the
association alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.structures import Category, Detections, Gear
from rules import CameraEngine, Rule, Zone, associate

IMAGE_HW = (1080, 1920)


@dataclass(frozen=True, slots=True)
class RulesTiming:
    """Processor time of one frame in milliseconds."""

    persons: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    max_ms: float
    floor_ms: float


def crowd(persons: int, seconds: float, rng: np.random.Generator) -> Detections:
    """A frame of ``persons`` faces at a time of the scene."""
    columns = 10
    index = np.arange(persons)
    height = 50.0 * (1 + rng.normal(0, 0.02, persons))
    x = 100 + 180 * (index % columns) + 15 * np.sin(seconds / 3 + index) + rng.normal(0, 1.5, persons)
    y = 100 + 200 * (index // columns) + rng.normal(0, 1.5, persons)
    boxes = np.stack([x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2], axis=1)
    offsets = np.array([[-0.2, -0.12], [0.2, -0.12], [0.0, 0.08], [-0.15, 0.28], [0.15, 0.28]])
    landmarks = np.stack([x, y], axis=1)[:, None, :] + offsets[None] * height[:, None, None]
    masked = np.where(index % 2 == 0, 0.93, 0.06)
    probs = np.stack([masked, 0.98 - masked, np.full(persons, 0.02)], axis=1)
    return Detections(
        image_hw=IMAGE_HW,
        boxes_xyxy=boxes.astype(np.float32),
        scores=np.full(persons, 0.9, np.float32),
        class_ids=np.where(masked > 0.5, Category.FACE_WITH_MASK, Category.FACE_WITHOUT_MASK).astype(
            np.int32
        ),
        landmarks_xy=landmarks.astype(np.float32),
        face_mask_probs=probs.astype(np.float32),
        sharpness=np.ones(persons, np.float32),
    )


def time_rules(persons: int = 40, frames: int = 300, fps: float = 5.0) -> RulesTiming:
    """Run one camera's rules over a crowd; the first twenty frames warm up and are not counted."""
    zone = Zone("all", ((-1.0, -1.0), (2.0, -1.0), (2.0, 3.0), (-1.0, 3.0)))
    rules = [Rule("zone", (Gear.FACE_MASK,), ("all",)), Rule("camera", (Gear.FACE_MASK,), dwell_s=5.0)]
    engine = CameraEngine("bench", zones=[zone], rules=rules, timezone="Europe/Brussels")
    rng = np.random.default_rng(0)
    seen = [crowd(persons, index / fps, rng) for index in range(frames + 20)]
    times = _times(seen, lambda detections, index: engine.observe(detections, 1_795_244_400.0 + index / fps))[
        20:
    ]
    floor = _times(seen, lambda detections, _: associate(detections))[20:]
    return RulesTiming(
        persons,
        float(np.mean(times)),
        float(np.median(times)),
        float(np.percentile(times, 95)),
        float(np.max(times)),
        float(np.mean(floor)),
    )


def _times(seen: Sequence[Detections], act: Callable[[Detections, int], object]) -> list[float]:
    times = []
    for index, detections in enumerate(seen):
        begun = time.process_time()
        act(detections, index)
        times.append(1000 * (time.process_time() - begun))
    return times


def measure_rules(persons: Sequence[int] = (1, 5, 10, 20, 40, 80), *, frames: int = 300) -> dict[str, Any]:
    """Milliseconds of one core for each frame, by size of crowd, beside the floor: association alone."""
    timings = [time_rules(count, frames) for count in persons]
    return {
        f"{timing.persons}_persons": {
            "p50_ms": round(timing.p50_ms, 2),
            "p95_ms": round(timing.p95_ms, 2),
            "floor_ms": round(timing.floor_ms, 2),
            "ratio": round(timing.mean_ms / timing.floor_ms, 2),
        }
        for timing in timings
    }
