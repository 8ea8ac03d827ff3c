"""Small recordings, made on the spot, and helpers that read them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamer.frame import Frame
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.counters import StreamFormat
from streamer.ingest.session import Session
from streamer.ingest.source import Source


def picture(number: int, size_hw: tuple[int, int] = (120, 160)) -> np.ndarray:
    """RGB with smooth colours and a bright square that moves on with each number: frames can be told apart."""
    height, width = size_hw
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([rows * 255 // height, columns * 255 // width, np.full_like(rows, 128)], axis=-1).astype(
        np.uint8
    )
    x = number * 4 % (width - 16)
    rgb[8:24, x : x + 16] = 255
    return rgb


def write_clip(
    path: Path,
    *,
    codec: str = "libx264",
    size_hw: tuple[int, int] = (120, 160),
    frames: int = 30,
    fps: int = 10,
    gop: int = 10,
    rotation: int = 0,
    sound: bool = False,
    picture_too: bool = True,
    moves: bool = True,
    b_frames: int = 0,
) -> Path:
    """A clip of ``picture(0)``, ``picture(1)`` and so on; of ``picture(0)`` alone when nothing ``moves``."""
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=8000) if sound else None
        if picture_too:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height = size_hw[1], size_hw[0]
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            options = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast"}}
            stream.options = options.get(codec, {}) | (
                {"x265-params": "log-level=none"} if "265" in codec else {}
            )
            stream.gop_size = gop
            stream.max_b_frames = b_frames
            if rotation:
                stream.set_display_rotation(rotation)
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(picture(number if moves else 0, size_hw), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if audio is not None:
            for number in range(frames):
                tone = av.AudioFrame.from_ndarray(
                    np.zeros((1, 800), np.float32), format="fltp", layout="mono"
                )
                tone.sample_rate, tone.pts = 8000, number * 800
                container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path


class Collector(NoSink):
    """A sink that keeps everything."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.formats: list[StreamFormat] = []

    def opened(self, stream: StreamFormat) -> None:
        super().opened(stream)
        self.formats.append(stream)

    def frame(self, frame: Frame) -> None:
        self.frames.append(frame)


def read_all(url: Path | str, *, fps: float | None = None, **options: object) -> tuple[list[Frame], Session]:
    """All frames of a recording as fast as they come; raises what ``read_frames`` raises."""
    session = Session(camera_id="test", sink=Collector(), fps=fps)
    source = Source(str(url), paced=False, start_epoch_s=1000.0, **options)  # type: ignore[arg-type]
    return list(read_frames(source, session)), session
