"""Small clips in the codecs and containers that cameras and recorders give, made on the spot."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import av
import numpy as np

from streamer.demo.site import CLIP


@dataclass(frozen=True, slots=True)
class Clip:
    """How one seed is made. ``has_lengths``: units of its packets have their length before them."""

    codec: str
    container: str
    size_wh: tuple[int, int] = (64, 64)
    options: dict[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    frames: int = 8
    b_frames: int = 0
    rotation: int = 0
    sound: bool = False
    has_lengths: bool = False


_X264: Final = {"preset": "ultrafast", "threads": "1"}
_X265: Final = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}

#: By name; its ending is that of the container.
CLIPS: Final = MappingProxyType(
    {
        "h264.mp4": Clip("libx264", "mp4", (96, 64), _X264, has_lengths=True),
        "h264.ts": Clip("libx264", "mpegts", (96, 64), _X264),
        "h264.h264": Clip("libx264", "h264", (96, 64), _X264),
        "h264.mkv": Clip("libx264", "matroska", (96, 64), _X264, has_lengths=True),
        "h264.flv": Clip("libx264", "flv", (64, 96), _X264, has_lengths=True),
        "h264.avi": Clip("libx264", "avi", (64, 96), _X264),
        "h264-b.mp4": Clip("libx264", "mp4", (128, 96), _X264, b_frames=2, frames=12, has_lengths=True),
        "h264-cabac.h264": Clip(
            "libx264", "h264", (128, 96), {"preset": "medium", "threads": "1"}, frames=10
        ),
        "h264-slices.ts": Clip("libx264", "mpegts", (160, 96), _X264 | {"x264-params": "slices=4"}),
        "h264-interlaced.h264": Clip(
            "libx264", "h264", (96, 64), {"x264-params": "interlaced=1", "threads": "1"}
        ),
        "h264-422.mp4": Clip("libx264", "mp4", (64, 64), _X264, "yuv422p", has_lengths=True),
        "h264-444.mp4": Clip("libx264", "mp4", (64, 64), _X264, "yuv444p", has_lengths=True),
        "h264-10.mp4": Clip("libx264", "mp4", (64, 64), _X264, "yuv420p10le", has_lengths=True),
        "h264-turned.mp4": Clip("libx264", "mp4", (96, 64), _X264, rotation=90, has_lengths=True),
        "h264-sound.mp4": Clip("libx264", "mp4", (64, 64), _X264, sound=True, has_lengths=True),
        "h264-wide.mp4": Clip("libx264", "mp4", (320, 180), _X264, has_lengths=True),
        "hevc.mp4": Clip("libx265", "mp4", (96, 64), _X265, has_lengths=True),
        "hevc.ts": Clip("libx265", "mpegts", (96, 64), _X265),
        "hevc.h265": Clip("libx265", "hevc", (128, 96), _X265, frames=10),
        "hevc-b.mkv": Clip("libx265", "matroska", (96, 64), _X265, b_frames=2, has_lengths=True),
        "hevc-10.mp4": Clip("libx265", "mp4", (64, 64), _X265, "yuv420p10le", has_lengths=True),
        "mpeg4.mp4": Clip("mpeg4", "mp4"),
        "mpeg4.avi": Clip("mpeg4", "avi"),
        "mpeg4.m4v": Clip("mpeg4", "m4v", b_frames=1),
        "mjpeg.avi": Clip("mjpeg", "avi", pixel_format="yuvj420p", frames=4),
        "mjpeg.mjpeg": Clip("mjpeg", "mjpeg", pixel_format="yuvj422p", frames=4),
        "mjpeg.mov": Clip("mjpeg", "mov", pixel_format="yuvj420p", frames=4),
        "mpeg2.ts": Clip("mpeg2video", "mpegts"),
        "mpeg2.mpg": Clip("mpeg2video", "mpeg"),
        "vp8.webm": Clip("libvpx", "webm", options={"deadline": "realtime", "cpu-used": "8"}),
        "vp9.webm": Clip("libvpx-vp9", "webm", options={"deadline": "realtime", "cpu-used": "8"}),
        "av1.mp4": Clip("libsvtav1", "mp4", options={"preset": "12", "svtav1-params": "lp=1"}, frames=4),
        "ffv1.mkv": Clip("ffv1", "matroska", frames=3),
        "png.mov": Clip("png", "mov", pixel_format="rgb24", frames=3),
        "h263.3gp": Clip("h263", "3gp", (176, 144), frames=4),
        "wmv2.asf": Clip("wmv2", "asf"),
    }
)


def make_seeds() -> dict[str, bytes]:
    """Every clip, and the beginning of the project's own one."""
    seeds = {name: _made(clip) for name, clip in CLIPS.items()}
    return seeds | {"demo.mp4": _demo()}


def _made(clip: Clip) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=clip.container, options={"fflags": "bitexact"}) as container:
        stream = container.add_stream(clip.codec, rate=10)
        stream.width, stream.height = clip.size_wh
        stream.pix_fmt = clip.pixel_format
        stream.options = dict(clip.options)
        stream.gop_size = 5
        stream.max_b_frames = clip.b_frames
        if clip.rotation:
            stream.set_display_rotation(clip.rotation)
        audio = container.add_stream("aac", rate=8000) if clip.sound else None
        for number in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(_picture(number, clip.size_wh), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
            if audio is not None:
                tone = av.AudioFrame.from_ndarray(
                    np.zeros((1, 800), np.float32), format="fltp", layout="mono"
                )
                tone.sample_rate, tone.pts = 8000, number * 800
                container.mux(audio.encode(tone))
        container.mux(stream.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return file.getvalue()


def _picture(number: int, size_wh: tuple[int, int]) -> np.ndarray:
    width, height = size_wh
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([rows * 3 + number * 9, columns * 2, rows ^ columns], axis=-1) % 256
    x = number * 5 % (width - 16)
    rgb[8:24, x : x + 16] = 255
    return rgb.astype(np.uint8)


def _demo() -> bytes:
    """Its first packets, in a file of their own."""
    file = io.BytesIO()
    with (
        av.open(str(CLIP)) as clip,
        av.open(file, "w", format="mp4", options={"fflags": "bitexact"}) as container,
    ):
        source = clip.streams.video[0]
        stream = container.add_stream_from_template(source)
        for number, packet in enumerate(clip.demux(source)):
            if number >= 4 or packet.dts is None:
                break
            packet.stream = stream
            container.mux(packet)
    return file.getvalue()


def packets_of(name: str, data: bytes) -> list[tuple[int, int]]:
    """Where the packets of video lie in a file, first byte and end; those that lie there in one piece."""
    found = []
    with av.open(io.BytesIO(data)) as container:
        for packet in container.demux(video=0):
            if packet.size and packet.pos is not None and packet.pos >= 0:
                start = data.find(bytes(packet)[:16], packet.pos)
                if start >= 0 and data[start : start + packet.size] == bytes(packet):
                    found.append((start, start + packet.size))
                elif name.endswith((".ts", ".mpg")) and start >= 0:
                    # cut up by the container: its first piece
                    found.append((start, min(start + 100, start + packet.size)))
    return found
