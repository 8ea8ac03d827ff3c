"""Recordings as site cameras send them, made when they are needed from the demo's clip.

``python -m streamer.bench.clips SOURCE TARGET WIDTH HEIGHT FPS SECONDS``: a process of its own, so that the encoder's
memory is not taken for that of what is measured.
"""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

#: Standard deviation of a sensor's noise, in grey levels: without it most of a drawn scene costs a decoder nothing.
_NOISE: Final = 2.0
_NOISE_PICTURES: Final = 4
#: One bit a pixel each ten frames: 5 Mbit/s for 1080p at 25 frames a second, as cameras are set up.
_BITS_A_PIXEL: Final = 0.1


def camera_clip(
    source: Path,
    folder: Path,
    *,
    image_hw: tuple[int, int] = (1080, 1920),
    fps: int = 25,
    seconds: float = 20.0,
) -> Path:
    """Make a clip of ``source`` in ``folder`` like a camera's stream, and return its path; one that is there is kept.

    Scaled to ``image_hw``, ``fps`` frames a second for ``seconds``, noisy, without B-frames, a key frame each two
    seconds. Raises ``subprocess.CalledProcessError``.
    """
    height, width = image_hw
    target = folder / f"{source.stem}-{width}x{height}-{fps}fps-{seconds:g}s.mp4"
    if not target.exists():
        words = (source, target, width, height, fps, seconds)
        subprocess.run([sys.executable, "-m", __name__, *map(str, words)], check=True)
    return target


def encode(source: Path, target: Path, image_hw: tuple[int, int], fps: int, seconds: float) -> None:
    """Write the clip that ``camera_clip`` describes."""
    height, width = image_hw
    rng = np.random.default_rng(0)
    noise = [np.rint(rng.normal(0, _NOISE, (height, width))).astype(np.int16) for _ in range(_NOISE_PICTURES)]
    unfinished = target.with_suffix(".part.mp4")
    with av.open(str(source)) as old, av.open(str(unfinished), "w") as new:
        stream = _stream(new, image_hw, fps)
        written = 0
        for picture in old.decode(video=0):
            planes = np.asarray(picture.reformat(width, height, format="yuv420p").to_ndarray(), np.uint8)
            # each frame stands until the next one's time
            until_s = min(
                seconds, (picture.time or 0.0) + 1 / float(old.streams.video[0].average_rate or fps)
            )
            while written / fps < until_s - 1e-6:
                noisy = _noisy(planes, noise[written % _NOISE_PICTURES], shift=17 * written)
                frame = av.VideoFrame.from_ndarray(noisy, format="yuv420p")
                frame.pts, frame.time_base = written, Fraction(1, fps)
                new.mux(stream.encode(frame))
                written += 1
            if written / fps >= seconds:
                break
        new.mux(stream.encode(None))
    unfinished.rename(target)


def _noisy(planes: NDArray[np.uint8], noise: NDArray[np.int16], *, shift: int) -> NDArray[np.uint8]:
    """Planes (3H/2, W) of a YUV picture with noise on its brightness."""
    noisy = planes.copy()
    height = len(noise)
    noisy[:height] = np.clip(planes[:height] + np.roll(noise, shift, axis=0), 16, 235)
    return noisy


def _stream(container: Any, image_hw: tuple[int, int], fps: int) -> VideoStream:
    """H.264 where its encoder is there, else MPEG-4."""
    x264 = "libx264" in av.codecs_available
    options = {"preset": "veryfast"} if x264 else {}
    stream = cast(
        VideoStream, container.add_stream("libx264" if x264 else "mpeg4", rate=fps, options=options)
    )
    stream.height, stream.width = image_hw
    stream.pix_fmt = "yuv420p"
    stream.bit_rate = int(_BITS_A_PIXEL * image_hw[0] * image_hw[1] * fps)
    stream.gop_size = 2 * fps
    stream.max_b_frames = 0
    return stream


if __name__ == "__main__":
    _source, _target, _width, _height, _fps, _seconds = sys.argv[1:]
    encode(Path(_source), Path(_target), (int(_height), int(_width)), int(_fps), float(_seconds))
