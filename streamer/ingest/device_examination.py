"""Is a device right? The process that asks: ``python -m streamer.ingest.device_examination DEVICE CODEC...``.

Prints one line of JSON for each codec: what is wrong with it in words, or null.
"""

import json
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, Final, cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streamer.ingest.device_decoding import Device, decoder_on
from streamer.ingest.device_picture import picture_of
from streamer.ingest.libav import captured_log

Packets = Sequence["Packet[Any]"]

_ENCODERS: Final = {"h264": "libx264", "hevc": "libx265"}

#: Small, but not below what decoding hardware takes.
_SIZE_HW: Final = (192, 320)
_FRAMES: Final = 24

#: Decoders of one standard give the same luma to the bit; more than one step is a fault.
_MOST_APART: Final = 1


def main(arguments: Sequence[str]) -> int:
    """Ask the device about each codec."""
    device, *codecs = arguments
    for codec in codecs:
        with captured_log() as log:
            problem = problem_with(codec, partial(_decoded_on, cast(Device, device), codec))
        said = [text.strip() for _level, _name, text in log if text.strip()]
        if problem is not None and said:
            problem = f"{problem} ({said[-1]})"
        print(json.dumps({"codec": codec, "problem": problem}), flush=True)
    return 0


def problem_with(codec: str, decode: Callable[[Packets], list[av.VideoFrame]]) -> str | None:
    """What is wrong with what ``decode`` makes of a drawn sample of ``codec``; None: it is as in software."""
    try:
        sample = _sample(codec)
    except (av.FFmpegError, ValueError, LookupError) as error:
        return f"there is no sample to ask with: {error}"
    try:
        found = [_luma(frame) for frame in decode(sample)]
    except Exception as error:  # noqa: BLE001 - whatever a driver raises, it is not used
        return str(error) or type(error).__name__
    expected = [_luma(frame) for frame in decoded(av.CodecContext.create(codec, "r"), sample)]
    if len(found) != len(expected):
        return f"{len(found)} frames came, not {len(expected)}"
    apart = max(
        int(np.abs(ours.astype(int) - theirs).max()) for ours, theirs in zip(found, expected, strict=True)
    )
    return f"its pictures differ by up to {apart}" if apart > _MOST_APART else None


def decoded(decoder: Any, packets: Packets) -> list[av.VideoFrame]:
    """All frames of a stream."""
    return [frame for packet in (*packets, None) for frame in decoder.decode(packet)]


def _decoded_on(device: Device, codec: str, packets: Packets) -> list[av.VideoFrame]:
    frames = decoded(decoder_on(device, codec), packets)
    if any(frame.sw_format is None for frame in frames):
        raise ValueError("libav decodes it in software")
    return frames


def _sample(codec: str) -> Packets:
    """Packets of a moving pattern, in another order than it is shown where the encoder does that."""
    encoder = av.CodecContext.create(_ENCODERS[codec], "w")
    if not isinstance(encoder, VideoCodecContext):
        raise ValueError(f"{codec} is no video")  # noqa: TRY004 - of the name, not of its type
    height, width = _SIZE_HW
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(12), Fraction(1, 12)
    encoder.max_b_frames = 2
    encoder.options = {"preset": "veryfast"} | ({"x265-params": "log-level=none"} if codec == "hevc" else {})
    rows, columns = np.mgrid[0:height, 0:width]
    packets: list[Packet[Any]] = []
    for number in range(_FRAMES):
        rgb = np.stack([rows + 8 * number, columns * 2 - 8 * number, rows * columns // 64], axis=-1)
        frame = av.VideoFrame.from_ndarray((rgb % 256).astype(np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, encoder.time_base
        packets += encoder.encode(frame)
    return [*packets, *encoder.encode(None)]


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return picture_of(frame).grey((frame.height, frame.width))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
