"""What decoding costs, and what making a frame into pixels at the network's size costs beside it."""

import statistics
import time
from pathlib import Path
from typing import Any, Final, cast

import av

from models.letterbox import default_input_size, input_hw_for, letterbox_geometry
from streamer.bench.figures import peak_memory_mb, spread
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source

#: Looks per second for which the cost of decoding is told.
_LOOKS_FPS: Final = (5.0, 2.0, 0.5)


def measure_decode(clip: Path, *, frames: int = 200, repeats: int = 5) -> dict[str, Any]:
    """Processor time a frame of ``clip``: libav alone (the floor), our reader, and the conversion to other sizes.

    Floor and reader alternate ``repeats`` times over the first ``frames``; medians with least and most, and
    ``ratio_reader`` of the pairs. ``ratio_left_out_...`` is what decoding for so many looks costs, by decoding all.
    """
    floor_ms, ours_ms, small_ms, full_ms = [], [], [], []
    for _ in range(repeats):
        floor_ms.append(_libav_ms(clip, frames))
        ours, small, full = _reader_ms(clip, frames)
        ours_ms.append(ours)
        small_ms.append(small)
        full_ms.append(full)
    figures: dict[str, Any] = {
        "clip": clip.name,
        "floor_libav_ms": spread(floor_ms, digits=2),
        "reader_ms": spread(ours_ms, digits=2),
        "ratio_reader": spread(
            [ours / floor for ours, floor in zip(ours_ms, floor_ms, strict=True)], digits=3
        ),
        "to_network_size_ms": spread(small_ms, digits=2),
        # of a clip of the network's own size that is the same picture, and costs nothing
        "to_full_size_ms": spread(full_ms, digits=2),
    }
    for fps in _LOOKS_FPS:
        costs, told = cost_of_looks(clip, fps, repeats=repeats)
        figures[f"ratio_left_out_at_{fps:g}_fps"] = spread(costs, digits=3)
        figures[f"decoded_at_{fps:g}_fps"] = told
    figures["peak_memory_mb"] = peak_memory_mb()
    return figures


def cost_of_looks(clip: Path, fps: float, *, repeats: int = 3) -> tuple[list[float], str]:
    """What decoding ``clip`` for ``fps`` looks a second costs when the decoder leaves out what it may.

    As parts of what decoding all costs, in processor time of this thread: one figure for each of ``repeats``
    alternations. And how many of how many frames were decoded.
    """
    costs: dict[str, list[float]] = {"DEFAULT": [], "AUTO": []}
    decoded: dict[str, int] = {}
    for mode in ("DEFAULT", "AUTO") * repeats:
        session = Session(camera_id="bench", sink=NoSink(), fps=fps)
        source = Source(str(clip), paced=False, start_epoch_s=0.0, skip_frame=cast(Any, mode))
        started = time.thread_time()
        for _ in read_frames(source, session):
            pass
        costs[mode].append(time.thread_time() - started)
        decoded[mode] = session.counters.decoded
    parts = [some / whole for some, whole in zip(costs["AUTO"], costs["DEFAULT"], strict=True)]
    return parts, f"{decoded['AUTO']} of {decoded['DEFAULT']} frames"


def _libav_ms(clip: Path, frames: int) -> float:
    """Milliseconds a frame after the first, in which the decoder is made ready."""
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_count = 1
        decoded = container.decode(video=0)
        next(decoded)
        started = time.process_time()
        count = sum(1 for _ in zip(range(frames), decoded, strict=False))
        return 1000 * (time.process_time() - started) / max(1, count)


def _reader_ms(clip: Path, frames: int) -> tuple[float, float, float]:
    """Milliseconds a frame: our reader; conversion to the network's size, and to the picture's own (medians)."""
    source = Source(str(clip), paced=False, start_epoch_s=0.0)
    read_s, small_s, full_s = 0.0, [], []
    count = 0
    last = time.process_time()
    for frame in read_frames(source, Session(camera_id="bench", sink=NoSink())):
        now = time.process_time()
        read_s += now - last if count else 0.0
        input_hw = input_hw_for(frame.image_hw, default_input_size(frame.image_hw))
        frame.rgb(letterbox_geometry(frame.image_hw, input_hw).content_hw)
        small = time.process_time()
        frame.rgb()
        last = time.process_time()
        small_s.append(small - now)
        full_s.append(last - small)
        count += 1
        if count > frames:
            break
    return (
        1000 * read_s / max(1, count - 1),
        1000 * statistics.median(small_s),
        1000 * statistics.median(full_s),
    )
