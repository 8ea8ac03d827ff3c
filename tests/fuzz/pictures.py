"""Picture files: what ``ppewatch detect``, folders of pictures and data sets open."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

import cv2
import numpy as np
from fuzz.byte_mutation import damaged
from fuzz.structured_mutation import Mutator, damaged_jpeg, damaged_png, damaged_riff, one_of
from fuzz.target import Case, Target, Unexpected, seeds_in

from models.pictures import read_picture
from streamer.ingest.connection import run_connection
from streamer.ingest.errors import EndOfStream
from streamer.ingest.session import Session
from streamer.ingest.source import Source

_WAYS: Final[Mapping[str, Mutator]] = {
    ".jpg": one_of(damaged_jpeg),
    ".png": one_of(damaged_png),
    ".webp": one_of(damaged_riff),
}

#: What OpenCV can write and read, beyond what our users have.
_FOREIGN: Final = (".jp2", ".ppm", ".pam", ".ras", ".avif", ".gif")


def drawn(height: int = 48, width: int = 64) -> np.ndarray:
    """Smooth colours with a shape in them, BGR."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.stack([rows * 5 % 256, columns * 3 % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 3, (20, 200, 240), -1)
    return picture


def make_seeds() -> dict[str, bytes]:
    """A small picture in each format and in the ways in which the formats differ."""
    picture = drawn()
    rgba = np.dstack([picture, np.full(picture.shape[:2], 128, np.uint8)])
    wide = picture.astype(np.uint16) * 257
    grey = picture[..., 0]
    seeds = {
        "plain.jpg": _encoded(".jpg", picture),
        "progressive.jpg": _encoded(".jpg", picture, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "grey.jpg": _encoded(".jpg", grey),
        "turned.jpg": _turned(_encoded(".jpg", picture)),
        "restarts.jpg": _encoded(".jpg", picture, cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        "plain.png": _encoded(".png", picture),
        "alpha.png": _encoded(".png", rgba),
        "wide.png": _encoded(".png", wide),
        "bits.png": _encoded(".png", (grey > 99).astype(np.uint8) * 255, cv2.IMWRITE_PNG_BILEVEL, 1),
        "lossy.webp": _encoded(".webp", picture, cv2.IMWRITE_WEBP_QUALITY, 60),
        "lossless.webp": _encoded(".webp", rgba, cv2.IMWRITE_WEBP_QUALITY, 101),
        "plain.bmp": _encoded(".bmp", picture),
        "alpha.bmp": _encoded(".bmp", rgba),
        "wide.tiff": _encoded(".tiff", wide),
        "float.tiff": _encoded(".tiff", picture.astype(np.float32) / 255),
    }
    further = {
        **{
            f"way{number}.tiff": (picture, cv2.IMWRITE_TIFF_COMPRESSION, number)
            for number in (1, 5, 7, 8, 32773)
        },
        **{f"foreign{suffix}": (picture,) for suffix in _FOREIGN},
        **{f"foreign{suffix}": (picture.astype(np.float32) / 255,) for suffix in (".hdr", ".exr", ".pfm")},
    }
    for name, (pixels, *options) in further.items():
        # not every build writes each of them
        with contextlib.suppress(cv2.error, AssertionError):
            seeds[name] = _encoded(Path(name).suffix, pixels, *options)
    return seeds


def _encoded(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, pixels, list(options))
    assert done, suffix
    return data.tobytes()


def _turned(jpeg: bytes) -> bytes:
    """With an EXIF segment that asks for a quarter turn."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


class Pictures(Target):
    """Read as a file, now and then as the only one of a folder that is a camera."""

    title = "picture files"
    cases = 20_000
    short = 200
    most_mb = 1024.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = seeds_in(folder, "pictures", make_seeds)
        self._watched = folder / "watched"
        self._watched.mkdir(exist_ok=True)

    def make(self, rng: Random) -> Case:
        name = rng.choice(sorted(self._seeds))
        suffix = Path(name).suffix
        mutate = _WAYS.get(suffix, one_of())
        data = mutate(self._seeds[name], rng, list(self._seeds.values()))
        if rng.random() < 0.05:
            data = damaged(data, rng)
        return Case(data, rng.choice((suffix, suffix, ".jpg", ".png")), rng.randrange(10))

    def run(self, case: Case) -> bool:
        if case.options == 0:
            return self._watch(case)
        path = self.folder / f"picture{case.suffix}"
        path.write_bytes(case.data)
        picture = read_picture(path)
        height, width = picture.image_hw
        picture.rgb((64, 64))
        picture.part_rgb((0, 0, max(1, width // 2), max(1, height // 2)), (32, 32))
        self.count("pixels", height * width)
        return True

    def _watch(self, case: Case) -> bool:
        (self._watched / "picture.png").write_bytes(case.data)
        sink = _Sink()
        ended = run_connection(
            Source(str(self._watched), paced=False), Session(camera_id="folder", sink=sink)
        )
        if ended is None:
            raise Unexpected("a folder ended without a reason")
        if isinstance(ended, EndOfStream):
            return sink.frames > 0
        raise ended


class _Sink:
    def __init__(self) -> None:
        self.frames = 0

    def opened(self, stream: object) -> None:
        """Nothing to do."""

    def progressed(self, received_mono_s: float, good_frames: int, left_out: int = 0) -> None:
        """Nothing to do."""

    def frame(self, frame: object) -> None:
        self.frames += 1
