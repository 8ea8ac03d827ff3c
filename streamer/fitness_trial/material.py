"""Pictures to try things on: recordings that go to and fro, and drawn yards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from streamer.fitness.picture_fitness import EXAMINED_PX
from streamer.fitness_trial.defects import MARGIN, Grey, noisy, texture
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.video_picture import VideoPicture

#: Pictures a second of a recording that are taken.
_FPS: Final = 1.0
_MOST_PICTURES: Final = 150

#: Grey levels, less than those of any camera.
_NOISE: Final = 0.8


def recorded(path: Path) -> list[Grey]:
    """The pictures of a recording, one a second, so large that without its margin one has the examined size.

    Raises ``IngestError`` when it cannot be read.
    """
    source = Source(str(path.absolute()), paced=False, start_epoch_s=0.0, decode_threads=0)
    pictures: list[Grey] = []
    for frame in read_frames(source, Session(camera_id=path.stem, sink=NoSink(), fps=_FPS)):
        height, width = frame.image_hw
        scale = EXAMINED_PX / (1 - 2 * MARGIN) / max(height, width)
        size_hw = round(height * scale), round(width * scale)
        if isinstance(frame.picture, VideoPicture):
            pictures.append(frame.picture.grey(size_hw))
        if len(pictures) == _MOST_PICTURES:
            break
    return pictures


def to_and_fro(pictures: list[Grey]) -> Iterator[Grey]:
    """The pictures over and over, every other time backwards, so that nothing jumps; with a sensor's noise, so that
    none comes twice.
    """
    while True:
        for picture in (*pictures, *(pictures[-2:0:-1] or pictures)):
            yield noisy(picture.astype(np.float32), _NOISE)


def drawn(seed: int) -> Iterator[Grey]:
    """A yard with walls, doors, pallets and leaves that move, seen by a noisy sensor; somebody walks by at times."""
    rng = np.random.default_rng(seed)
    width, height = round(EXAMINED_PX / (1 - 2 * MARGIN)), round(0.5625 * EXAMINED_PX / (1 - 2 * MARGIN))
    rows = np.mgrid[0:height, 0:width][0]
    yard = 70.0 + 70.0 * rows / height + 6 * texture(height, width, grain_px=3, seed=seed)
    for _ in range(45):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = int(rng.integers(10, 160)), int(rng.integers(10, 110))
        yard[y : y + h, x : x + w] += rng.uniform(-60, 60)
    yard = cv2.GaussianBlur(np.clip(yard, 8, 240).astype(np.float32), (0, 0), 0.8)
    leaves = texture(height // 4, width // 4, grain_px=2, seed=seed + 1)
    index = 0
    while True:
        view = yard.copy()
        moved = np.roll(leaves, int(rng.integers(-2, 3)), axis=1)
        view[: height // 4, : width // 4] += 20 * moved
        if index % 40 < 15:
            x = int((index % 40) / 15 * width)
            cv2.ellipse(
                view, (x, int(0.6 * height)), (18, 60), 0, 0, 360, float(40 + 60 * (index // 40 % 3)), -1
            )
        view *= 1 + 0.05 * np.sin(index / 50)
        yield noisy(view, 2.5)
        index += 1
