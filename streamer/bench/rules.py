"""How long the rules take for one frame.

Persons walk slowly in a grid with trembling boxes, half of them without a mask or without a hard hat, seen by both
models: face, head, hat, mask and body of each, with pixels. A zone rule and a rule for the whole picture require both.
Measured in processor time of one thread for each ``CameraEngine.observe``; its floor is the association alone. A person
update is one person in one frame.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.structures import Category, Detections, Gear
from models.structures.joining import joined
from rules import CameraEngine, Rule, Zone, associate
from streamer.bench.figures import spread

IMAGE_HW = (1080, 1920)
#: Frames of a crowd that are not counted.
_WARM_UP = 20
#: UTC epoch seconds of the first frame.
_BEGIN = 1_795_244_400.0
#: Scenes that the simulated cameras share.
_SCENES = 16
#: From so many persons on, updates a second are told.
_CROWD = 20


@dataclass(frozen=True, slots=True)
class RulesTiming:
    """Processor time of one frame in milliseconds."""

    persons: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    max_ms: float
    floor_ms: float
    #: the rules by the floor, in each of several stretches of frames
    ratios: tuple[float, ...]


def crowd(persons: int, seconds: float, rng: np.random.Generator) -> Detections:
    """A frame of ``persons`` at a time of the scene, as both models see it."""
    faces = faces_of(persons, seconds, rng)
    return joined([faces, _gear_of(faces)])


def _gear_of(faces: Detections) -> Detections:
    """Bodies, heads and masks around faces: every other head wears a hard hat, with a bare head competing for it."""
    x1, y1, x2, chin = faces.boxes_xyxy.T
    middle, head = (x1 + x2) / 2, 1.25 * (chin - y1)
    heads = np.stack([middle - 0.45 * head, chin - 1.15 * head, middle + 0.45 * head, chin], axis=1)
    bodies = np.stack(
        [middle - 1.1 * head, chin - 1.1 * head, middle + 1.1 * head, chin + 6.5 * head], axis=1
    )
    masks = np.stack([x1, y1 + 0.45 * (chin - y1), x2, chin], axis=1)
    on_head, whole = np.zeros((28, 28), np.float32), np.ones((28, 28), np.float32)
    on_head[:14] = 1.0
    hatted, masked = heads[::2], masks[::2]
    groups = [
        (Category.PERSON, bodies, 0.9, whole),
        (Category.BARE_HEAD, heads, 0.6, whole),
        (Category.HARD_HAT, hatted, 0.9, on_head),
        (Category.FACE_MASK, masked, 0.9, whole),
    ]
    return Detections(
        image_hw=faces.image_hw,
        boxes_xyxy=np.concatenate([boxes for _, boxes, _, _ in groups]).astype(np.float32),
        scores=np.concatenate([np.full(len(boxes), score) for _, boxes, score, _ in groups]),
        class_ids=np.concatenate([np.full(len(boxes), int(kind)) for kind, boxes, _, _ in groups]),
        input_scale=faces.input_scale,
        seg_masks=np.concatenate([np.tile(pixels, (len(boxes), 1, 1)) for _, boxes, _, pixels in groups]),
    )


def faces_of(persons: int, seconds: float, rng: np.random.Generator) -> Detections:
    """The faces of the scene with the mask states that the classifier gives them."""
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


def time_rules(persons: int = 40, frames: int = 300, fps: float = 5.0, runs: int = 5) -> RulesTiming:
    """Run one camera's rules over a crowd; the first twenty frames warm up and are not counted."""
    engine = _engine("bench")
    seen = scene(persons, frames + _WARM_UP, fps)
    times = _times(seen, lambda detections, index: engine.observe(detections, _BEGIN + index / fps))[
        _WARM_UP:
    ]
    floor = _times(seen, lambda detections, _: associate(detections))[_WARM_UP:]
    return RulesTiming(
        persons,
        float(np.mean(times)),
        float(np.median(times)),
        float(np.percentile(times, 95)),
        float(np.max(times)),
        float(np.mean(floor)),
        tuple(
            float(np.sum(ours) / np.sum(least))
            for ours, least in zip(np.array_split(times, runs), np.array_split(floor, runs), strict=True)
        ),
    )


def time_updates(persons: int = 40, frames: int = 60, runs: int = 5, fps: float = 5.0) -> list[float]:
    """Person updates a second of one core in each of ``runs`` stretches of ``frames``, after warming up."""
    engine = _engine("bench")
    seen = scene(persons, frames * runs + _WARM_UP, fps)
    times = _times(seen, lambda detections, index: engine.observe(detections, _BEGIN + index / fps))[
        _WARM_UP:
    ]
    stretches = np.array(times).reshape(runs, frames).sum(axis=1)
    return [float(persons * frames / (milliseconds / 1000)) for milliseconds in stretches]


def time_cameras(
    cameras: int, persons: int = 3, least_frames: int = 300, runs: int = 5, fps: float = 5.0
) -> list[float]:
    """Milliseconds for each frame of ``cameras`` that take turns, in each of ``runs``.

    A run gives every camera the same number of frames, ``least_frames`` or more in all; the first frames of every
    camera, in which its tracks begin, are not counted. Cameras share a few scenes, so that memory does not grow with
    their frames.
    """
    each = -(-least_frames // cameras)
    begin = 5
    scenes = [scene(persons, begin + each * runs, fps, seed=seed) for seed in range(min(cameras, _SCENES))]
    engines = [_engine(f"bench-{number}") for number in range(cameras)]

    def turn(index: int) -> float:
        at = _BEGIN + index / fps
        begun = time.thread_time()
        for number, engine in enumerate(engines):
            engine.observe(scenes[number % len(scenes)][index], at)
        return time.thread_time() - begun

    for index in range(begin):
        turn(index)
    return [
        1000 * sum(turn(begin + run * each + step) for step in range(each)) / (each * cameras)
        for run in range(runs)
    ]


def scene(persons: int, frames: int, fps: float, *, seed: int = 0) -> list[Detections]:
    """The frames of a crowd at ``fps``."""
    rng = np.random.default_rng(seed)
    return [crowd(persons, index / fps, rng) for index in range(frames)]


def _engine(camera_id: str) -> CameraEngine:
    zone = Zone("all", ((-1.0, -1.0), (2.0, -1.0), (2.0, 3.0), (-1.0, 3.0)))
    both = (Gear.HARD_HAT, Gear.FACE_MASK)
    rules = [Rule("zone", both, ("all",)), Rule("camera", both, dwell_s=5.0)]
    return CameraEngine(camera_id, zones=[zone], rules=rules, timezone="Europe/Brussels")


def _times(seen: Sequence[Detections], act: Callable[[Detections, int], object]) -> list[float]:
    times = []
    for index, detections in enumerate(seen):
        begun = time.thread_time()
        act(detections, index)
        times.append(1000 * (time.thread_time() - begun))
    return times


def measure_rules(
    persons: Sequence[int] = (1, 5, 10, 20, 40, 80),
    *,
    frames: int = 300,
    cameras: Sequence[int] = (10, 100, 1000),
    runs: int = 5,
) -> dict[str, Any]:
    """What the rules cost one core.

    Milliseconds for each frame by size of crowd, beside the floor: association alone. Person updates a second by size
    of crowd, and milliseconds for each frame of a camera with three persons by the number of ``cameras``, beside the
    fewest: the median of ``runs`` with the least and the most.
    """
    timings = [time_rules(count, frames, runs=min(runs, frames)) for count in persons]
    figures: dict[str, Any] = {
        f"{timing.persons}_persons": {
            "p50_ms": round(timing.p50_ms, 2),
            "p95_ms": round(timing.p95_ms, 2),
            "floor_ms": round(timing.floor_ms, 2),
            "ratio": round(timing.mean_ms / timing.floor_ms, 2),
        }
        for timing in timings
    }
    figures |= {
        f"ratio_{timing.persons}_persons": spread(timing.ratios, digits=3)
        for timing in timings
        if timing.persons >= _CROWD
    }
    for count in (count for count in persons if count >= _CROWD):
        updates = time_updates(count, max(1, frames // runs), runs)
        figures[f"updates_per_second_{count}_persons"] = spread(updates, digits=0)
    fewest = 0.0
    for count in cameras:
        times = time_cameras(count, least_frames=frames, runs=runs)
        fewest = fewest or float(np.median(times))
        ratio = round(float(np.median(times)) / fewest, 2)
        figures[f"{count}_cameras_ms_per_frame"] = {**spread(times, digits=3), "ratio": ratio}
    if cameras:
        figures[f"ratio_{count}_cameras"] = spread([one / fewest for one in times], digits=3)
    return figures
