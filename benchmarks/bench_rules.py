"""How long the rules take for one frame: ``python benchmarks/bench_rules.py [--persons 40] [--frames 300]``.

Persons walk slowly in a grid with trembling boxes, half of them without a mask, watched by a zone rule and a rule for
the whole picture. Prints milliseconds of processor time on one core for each ``CameraEngine.observe``; its floor is the
association alone.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


def main() -> None:
    """Print a line for each size of crowd."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, nargs="+", default=[1, 5, 10, 20, 40, 80])
    parser.add_argument("--frames", type=int, default=300)
    arguments = parser.parse_args()
    print("persons   mean    p50    p95    max  floor (association)   ms of one core per frame")
    for persons in arguments.persons:
        timing = time_rules(persons, arguments.frames)
        print(
            f"{persons:7d} {timing.mean_ms:6.2f} {timing.p50_ms:6.2f} {timing.p95_ms:6.2f} {timing.max_ms:6.2f}"
            f" {timing.floor_ms:6.2f}"
        )


if __name__ == "__main__":
    main()
