"""A short recording in which somebody puts a face mask on and has it off again, made of the demo's clip.

Looped, it opens and closes an episode every few seconds for next to no computation: small pictures, few of them. The
picture sways, for a head that keeps still for two minutes is taken for a poster (docs/adr/0015-static-things.md).
"""

import math
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from streamer.demo.site import CLIP

#: Seconds of the demo's clip: the person stands bare-faced, then with the mask pulled up.
_PARTS_S: Final = ((6.4, 8.4), (9.6, 11.4))
#: Height and width of the pictures; heads are about 40 px high.
IMAGE_HW: Final = (270, 480)
FPS: Final = 12
#: So much more than the picture is there for it to sway in.
_ROOM: Final = 1.2


def busy_clip(folder: Path) -> Path:
    """Make the recording in ``folder`` and return its path; one that is there is kept. Raises ``OSError``."""
    target = folder / "busy.mp4"
    if not target.exists():
        unfinished = folder / ".busy.part.mp4"
        _encode(_pictures(), unfinished)
        unfinished.rename(target)
    return target


def _pictures() -> list[NDArray[np.uint8]]:
    """The chosen parts, in order, swaying once to and fro; RGB uint8 (H, W, 3)."""
    height, width = IMAGE_HW
    wide_hw = round(height * _ROOM), round(width * _ROOM)
    found: list[NDArray[np.uint8]] = []
    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            at_s = frame.time or 0.0
            if any(begin <= at_s < end for begin, end in _PARTS_S):
                whole = frame.reformat(wide_hw[1], wide_hw[0], format="rgb24")
                found.append(np.asarray(whole.to_ndarray(), np.uint8))
            if at_s >= _PARTS_S[-1][1]:
                break
    room_y, room_x = wide_hw[0] - height, wide_hw[1] - width
    swayed = []
    for number, wide in enumerate(found):
        x = round(room_x * (0.5 + 0.5 * math.sin(2 * math.pi * number / len(found))))
        swayed.append(np.ascontiguousarray(wide[room_y // 2 :][:height, x : x + width]))
    return swayed


def _encode(pictures: list[NDArray[np.uint8]], target: Path) -> None:
    x264 = "libx264" in av.codecs_available
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264" if x264 else "mpeg4", rate=FPS)
        stream.height, stream.width = IMAGE_HW
        stream.pix_fmt = "yuv420p"
        stream.gop_size = FPS
        stream.max_b_frames = 0
        stream.codec_context.time_base = Fraction(1, FPS)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
