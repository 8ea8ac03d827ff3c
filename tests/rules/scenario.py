"""Scripted people in front of a scripted camera: detections at any frame rate, with noise and dropped frames."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.structures import Category, Detections, Gear
from rules import CameraEngine, Rule, Tuning, Violation, Zone

#: 2026-11-21 07:00 UTC, a Saturday; a multiple of 1/64 s, so that shifted times stay exact.
START = 1795244400.0
HW = (1080, 1920)
MASK = Rule("mask", (Gear.FACE_MASK,))
HAT = Rule("hat", (Gear.HARD_HAT,))

Box = tuple[float, float, float, float]


@dataclass
class Row:
    """One detection before it is put into arrays."""

    category: Category
    box: Box
    score: float = 0.9
    probs: tuple[float, float, float] = (0.0, 0.0, 0.0)
    landmarks: np.ndarray | None = None
    pixels: np.ndarray | None = None


@dataclass
class Actor:
    """One person as a function of the scene's time in seconds.

    ``at(t)``: middle of the face (x, y) in pixels, or None when not in the picture. ``mask(t)``: probability of a mask,
    None when the face is turned away. ``incorrect(t)``: probability of a mask worn wrongly. ``hat(t)``: ``hard_hat``,
    ``bare``, ``hat``, or None when the head's top is not detected. ``segmented``: hats are seen as by a model that
    gives pixels: worn ones in the box of the whole head, with a weak bare head competing, others filling their box.
    ``mask_top(t)``: upper edge of a face mask that is seen to the pixel, in face heights below the top of the face.
    """

    at: Callable[[float], tuple[float, float] | None]
    face_px: float = 60.0
    mask: Callable[[float], float | None] = lambda t: None
    incorrect: Callable[[float], float] = lambda t: 0.0
    hat: Callable[[float], str | None] = lambda t: None
    carries_hat: bool = False
    has_body: bool = False
    yaw_deg: Callable[[float], float] = lambda t: 0.0
    score: float = 0.9
    segmented: bool = False
    mask_top: Callable[[float], float | None] = lambda t: None

    def rows(self, t: float, jitter: Callable[[], float]) -> Iterator[Row]:
        where = self.at(t)
        if where is None:
            return
        h = self.face_px
        dx, dy, scale = jitter() * h, jitter() * h, 1 + jitter()
        x, y, h = where[0] + dx, where[1] + dy, h * scale
        head_h = h / 0.8
        chin = y + h / 2
        top = chin - head_h
        mask = self.mask(t)
        if mask is not None:
            wrong = self.incorrect(t)
            yield Row(
                Category.FACE_WITH_MASK,
                (x - 0.38 * h, y - h / 2, x + 0.38 * h, y + h / 2),
                self.score,
                (mask * (1 - wrong), (1 - mask) * (1 - wrong), wrong),
                landmarks(x, y, h, self.yaw_deg(t)),
            )
        hat = self.hat(t)
        if hat == "bare":
            yield Row(Category.BARE_HEAD, (x - 0.4 * head_h, top, x + 0.4 * head_h, chin), self.score)
        if hat == "hard_hat" and self.segmented:
            whole = (x - 0.47 * head_h, top - 0.2 * head_h, x + 0.47 * head_h, chin)
            yield Row(Category.HARD_HAT, whole, self.score, pixels=pixels(bottom=0.5))
            yield Row(Category.BARE_HEAD, whole, 0.25)
        elif hat == "hard_hat":
            yield Row(
                Category.HARD_HAT,
                (x - 0.45 * head_h, top - 0.2 * head_h, x + 0.45 * head_h, top + 0.45 * head_h),
                self.score,
            )
        if hat == "hat":
            yield Row(
                Category.HAT,
                (x - 0.45 * head_h, top - 0.1 * head_h, x + 0.45 * head_h, top + 0.4 * head_h),
                self.score,
            )
        if self.carries_hat:
            hand_x, hand_y = x + 1.2 * head_h, top + 3.8 * head_h
            yield Row(
                Category.HARD_HAT,
                (
                    hand_x - 0.45 * head_h,
                    hand_y - 0.3 * head_h,
                    hand_x + 0.45 * head_h,
                    hand_y + 0.3 * head_h,
                ),
                pixels=pixels() if self.segmented else None,
            )
        mask_top = self.mask_top(t)
        if mask_top is not None:
            covered = (x - 0.36 * h, y - h / 2 + mask_top * h, x + 0.36 * h, y + 0.55 * h)
            yield Row(Category.FACE_MASK, covered, 0.9, pixels=pixels())
        if self.has_body:
            yield Row(
                Category.PERSON, (x - 1.3 * head_h, top, x + 1.3 * head_h, top + 7.5 * head_h), self.score
            )


def landmarks(x: float, y: float, h: float, yaw_deg: float = 0.0) -> np.ndarray:
    """Five points of a face of height ``h`` turned by ``yaw_deg``, by the proportions of adults."""
    turn = np.radians(yaw_deg)
    pupils = 0.42 * h
    eye, nose, mouth = 0.5 * pupils * np.cos(turn), 0.46 * pupils * np.sin(turn), 0.38 * pupils * np.cos(turn)
    return np.array(
        [
            [x - eye, y - 0.12 * h],
            [x + eye, y - 0.12 * h],
            [x + nose, y + 0.08 * h],
            [x - mouth, y + 0.28 * h],
            [x + mouth, y + 0.28 * h],
        ]
    )


def pixels(*, top: float = 0.0, bottom: float = 1.0, left: float = 0.0, right: float = 1.0) -> np.ndarray:
    """Pixels of a box that fill the part of it between these shares of its height and width."""
    filled = np.zeros((28, 28), np.float32)
    filled[round(28 * top) : round(28 * bottom), round(28 * left) : round(28 * right)] = 1.0
    return filled


def detections(
    rows: Sequence[Row], *, image_hw: tuple[int, int] = HW, input_scale: float = 1.0
) -> Detections:
    if not rows:
        return Detections.empty(image_hw, input_scale)
    return Detections(
        image_hw=image_hw,
        boxes_xyxy=np.array([row.box for row in rows], np.float32),
        scores=np.array([row.score for row in rows], np.float32),
        class_ids=np.array([int(row.category) for row in rows], np.int32),
        input_scale=input_scale,
        landmarks_xy=np.array(
            [np.zeros((5, 2)) if row.landmarks is None else row.landmarks for row in rows], np.float32
        ),
        face_mask_probs=np.array([row.probs for row in rows], np.float32),
        sharpness=np.ones(len(rows), np.float32),
        seg_masks=None
        if all(row.pixels is None for row in rows)
        else np.array([np.zeros((28, 28)) if row.pixels is None else row.pixels for row in rows], np.float32),
    )


@dataclass
class Scene:
    """Actors before a camera of ``fps`` for ``seconds``; ``drop``: part of the frames that never arrive.

    ``jitter``: standard deviation of the boxes in face heights. ``gap``: times (from, to) without any frame.
    """

    actors: Sequence[Actor]
    seconds: float
    fps: float = 5.0
    jitter: float = 0.0
    drop: float = 0.0
    gap: tuple[float, float] | None = None
    seed: int = 0
    shuffle: bool = False
    start: float = START
    clock: Callable[[float], float] = field(default=lambda t: 0.0)

    def frames(self) -> Iterator[tuple[Detections, float, float]]:
        """Detections, ``captured_at`` and the scene's time."""
        rng, mixing = np.random.default_rng(self.seed), np.random.default_rng(self.seed)
        for index in range(int(self.seconds * self.fps)):
            t = index / self.fps
            rows = [
                row
                for actor in self.actors
                for row in actor.rows(t, lambda: rng.normal(0, self.jitter) if self.jitter else 0.0)
            ]
            if self.shuffle:
                rows = [rows[i] for i in mixing.permutation(len(rows))]
            if rng.random() < self.drop or (self.gap is not None and self.gap[0] <= t < self.gap[1]):
                continue
            yield detections(rows), self.start + t + self.clock(t), t


def engine(
    *rules: Rule, zones: Sequence[Zone] = (), timezone: str = "Europe/Brussels", **tuning
) -> CameraEngine:
    return CameraEngine("gate", zones=zones, rules=rules, timezone=timezone, tuning=Tuning(**tuning))


def play(watching: CameraEngine, scene: Scene, *, ticks: bool = False) -> list[Violation]:
    """Show the scene to an engine; with ``ticks`` also tell it the time once a second while no frames come."""
    told: list[Violation] = []
    last = None
    for seen, at, _ in scene.frames():
        if ticks and last is not None:
            told += [v for second in range(1, int(at - last)) for v in watching.advance(last + second)]
        told += watching.observe(seen, at)
        last = at
    return told


def phases(told: Sequence[Violation], phase: str) -> list[Violation]:
    return [violation for violation in told if violation.phase == phase]


def standing(x: float = 900.0, y: float = 300.0, *, enters: float = 0.0, leaves: float = 1e9):
    return lambda t: (x, y) if enters <= t < leaves else None


def walking(
    start: tuple[float, float], speed: tuple[float, float], *, enters: float = 0.0, leaves: float = 1e9
):
    return lambda t: (
        (start[0] + speed[0] * (t - enters), start[1] + speed[1] * (t - enters))
        if enters <= t < leaves
        else None
    )
