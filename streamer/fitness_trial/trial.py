"""One trial: a camera that is well for some time, then something happens, then it is well again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np

from streamer.fitness.findings import Code
from streamer.fitness.picture_fitness import PictureFitness
from streamer.fitness_trial.defects import Defect, Grey, noisy, shown


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of a trial before the defect, with it, and after it."""

    before_s: int = 75
    during_s: int = 90
    after_s: int = 30

    @property
    def end_s(self) -> int:
        """When the defect ends."""
        return self.before_s + self.during_s

    def holds_at(self, second: int) -> bool:
        """Whether the defect is there."""
        return self.before_s <= second < self.end_s


#: As cameras send: a key frame now and then, and no more bits than needed.
_CODER: Final = {"preset": "ultrafast", "tune": "zerolatency", "crf": "26"}
_KEY_FRAME_S: Final = 2

#: What hangs and is coded again and again is no longer coded alike while the encoder's rate control settles: frames
#: count, so these trials have several a second.
FREEZE_FPS: Final = 5


@dataclass(slots=True)
class Outcome:
    """What was found in one trial; times are seconds from the beginning of the defect, and from its end.

    ``false``: codes that were found though they were not there, with the second of the trial.
    """

    clip: str
    defect: Defect
    found_s: float | None = None
    over_s: float | None = None
    false: list[tuple[Code, int]] = field(default_factory=list)
    seconds: int = 0

    @property
    def is_right(self) -> bool:
        """Found and over again, if there was something to find, and nothing else was."""
        missed = self.defect.code is not None and (self.found_s is None or self.over_s is None)
        return not missed and not self.false


def try_out(
    clip: str,
    pictures: Iterator[Grey],
    defect: Defect,
    *,
    frozen_after_s: float,
    seed: int = 1,
    phases: Phases = Phases(),
) -> Outcome:
    """Run the trial, one picture a second."""
    rng = np.random.default_rng(seed)
    fitness = PictureFitness(frozen_after_s=frozen_after_s)
    cv2.setRNGSeed(seed)
    outcome = Outcome(clip, defect)
    expected = defect.allowed | ({defect.code} if defect.code else set())
    views = _through_encoder(_pictures(pictures, defect, rng, phases), FREEZE_FPS if defect.freezes else 1)
    for second, view in enumerate(views):
        fitness.examine(view, float(second))
        on = {code for code, follower in fitness.followed() if follower.is_on}
        if second >= phases.before_s:
            if outcome.found_s is None and on & expected:
                outcome.found_s = float(second - phases.before_s)
            if second >= phases.end_s and outcome.over_s is None and not on & expected:
                outcome.over_s = float(second - phases.end_s)
        known = {code for code, _ in outcome.false}
        wrong = on - (expected if second >= phases.before_s else set()) - known
        outcome.false += [(code, second) for code in sorted(wrong)]
        outcome.seconds += 1
    return outcome


def calm(pictures: Iterator[Grey], *, seconds: int, frozen_after_s: float) -> list[str]:
    """What is found in so many seconds in which nothing happens to the camera: codes with the second."""
    fitness = PictureFitness(frozen_after_s=frozen_after_s)
    found: dict[Code, int] = {}
    views = _through_encoder(shown(picture) for picture in pictures)
    for second, view in zip(range(seconds), views, strict=False):
        fitness.examine(view, float(second))
        for code, follower in fitness.followed():
            if follower.is_on:
                found.setdefault(code, second)
    return [f"{code} at {second} s" for code, second in found.items()]


def _pictures(
    pictures: Iterator[Grey], defect: Defect, rng: np.random.Generator, phases: Phases
) -> Iterator[Grey]:
    """What the camera shows: one picture a second, of a freeze several, each with noise of its own while it lives."""
    held: Grey | None = None
    for second in range(phases.end_s + phases.after_s):
        picture = next(pictures)
        if not phases.holds_at(second):
            yield from _repeated(shown(picture), defect)
        elif not defect.freezes:
            yield defect.effect(picture, second, rng)
        else:
            held = picture if held is None else held
            for _ in range(FREEZE_FPS):
                yield defect.effect(held, second, rng)


def _repeated(picture: Grey, defect: Defect) -> Iterator[Grey]:
    if not defect.freezes:
        yield picture
        return
    for _ in range(FREEZE_FPS):
        yield noisy(picture.astype(np.float32), 0.8)


def _through_encoder(pictures: Iterator[Grey], per_second: int = 1) -> Iterator[Grey]:
    """What H.264 leaves of the pictures, the first of each second; each comes out as it goes in."""
    encoder = av.CodecContext.create("libx264", "w")
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_type = "NONE"
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 1), Fraction(1, 1)
    encoder.options, encoder.gop_size, encoder.max_b_frames = dict(_CODER), _KEY_FRAME_S * per_second, 0
    for number, picture in enumerate(pictures):
        height, width = (side - side % 2 for side in picture.shape)
        if not encoder.is_open:
            encoder.width, encoder.height = width, height
        chroma = np.full((height // 2, width), 128, np.uint8)
        frame = av.VideoFrame.from_ndarray(np.vstack((picture[:height, :width], chroma)), format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            for shown_frame in decoder.decode(packet):
                if number % per_second:
                    continue
                plane = shown_frame.planes[0]
                rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
                yield np.ascontiguousarray(rows[: shown_frame.height, : shown_frame.width])
