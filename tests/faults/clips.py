"""The busy recording once more, as other cameras send it."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

_ENCODERS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}


def recoded(source: Path, folder: Path, codec: str, image_hw: tuple[int, int]) -> Path:
    """``source`` as ``codec`` in another size, in ``folder``; one that is there is kept. An upright picture shows
    where somebody stands, left of its middle.
    """
    height, width = image_hw
    target = folder / f"{source.stem}-{codec}-{width}x{height}.mp4"
    if target.exists():
        return target
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        rate = old.streams.video[0].average_rate
        options = {"x265-params": "log-level=none"} if codec == "hevc" else {}
        stream = cast(VideoStream, new.add_stream(_ENCODERS[codec], rate=rate, options=options))
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = int(rate or 12)
        stream.max_b_frames = 0
        for number, frame in enumerate(old.decode(video=0)):
            scale = max(height / frame.height, width / frame.width)
            whole = frame.reformat(round(frame.width * scale), round(frame.height * scale), format="rgb24")
            pixels = whole.to_ndarray()
            top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 4
            cut = av.VideoFrame.from_ndarray(
                pixels[top : top + height, left : left + width].copy(), format="rgb24"
            )
            cut.pts, cut.time_base = number, Fraction(1, int(rate or 12))
            new.mux(stream.encode(cut))
        new.mux(stream.encode(None))
    return target
