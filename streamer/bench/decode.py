"""What decoding costs, and what making a frame into pixels at the network's size costs beside it."""

import time
from pathlib import Path
from typing import Any, Final, cast

import av

from models.letterbox import default_input_size, input_hw_for, letterbox_geometry
from streamer.bench.figures import peak_memory_mb, percentiles_ms
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source

#: Looks per second for which the cost of decoding is told.
_LOOKS_FPS: Final = (5.0, 2.0, 0.5)


def measure_decode(clip: Path, *, frames: int = 200) -> dict[str, Any]:
    """Per frame of ``clip``: libav alone (the floor), our reader, and the conversion to the network's size."""
    floor_s = []
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_count = 1
        last = time.perf_counter()
        for number, _ in enumerate(container.decode(video=0)):
            now = time.perf_counter()
            floor_s.append(now - last)
            last = now
            if number >= frames:
                break
    ours_s, small_s, full_s = [], [], []
    last = time.perf_counter()
    source = Source(str(clip), paced=False, start_epoch_s=0.0)
    for number, frame in enumerate(read_frames(source, Session(camera_id="bench", sink=NoSink()))):
        now = time.perf_counter()
        ours_s.append(now - last)
        input_hw = input_hw_for(frame.image_hw, default_input_size(frame.image_hw))
        content_hw = letterbox_geometry(frame.image_hw, input_hw).content_hw
        frame.rgb(content_hw)
        small = time.perf_counter()
        small_s.append(small - now)
        frame.rgb()
        last = time.perf_counter()
        full_s.append(last - small)
        if number >= frames:
            break
    ours, floor = percentiles_ms(ours_s[1:]), percentiles_ms(floor_s[1:])
    return {
        "clip": clip.name,
        "floor_libav": floor,
        "reader": ours,
        "ratio_p50": round(ours["p50_ms"] / floor["p50_ms"], 2),
        "to_network_size": percentiles_ms(small_s[1:]),
        # a clip of the network's own size needs no second conversion
        "to_full_size": percentiles_ms(full_s[1:]) if frame.image_hw != content_hw else "the same picture",
        "left_out": {f"at_{fps:g}_fps": cost_of_looks(clip, fps) for fps in _LOOKS_FPS},
        "peak_memory_mb": peak_memory_mb(),
    }


def cost_of_looks(clip: Path, fps: float) -> str:
    """What decoding ``clip`` for ``fps`` looks a second costs when the decoder leaves out what it may.

    As part of what decoding all costs: processor time of this thread, best of three each.
    """
    costs: dict[str, float] = {}
    decoded: dict[str, int] = {}
    for mode in ("DEFAULT", "AUTO") * 3:
        session = Session(camera_id="bench", sink=NoSink(), fps=fps)
        source = Source(str(clip), paced=False, start_epoch_s=0.0, skip_frame=cast(Any, mode))
        started = time.thread_time()
        for _ in read_frames(source, session):
            pass
        costs[mode] = min(time.thread_time() - started, costs.get(mode, float("inf")))
        decoded[mode] = session.counters.decoded
    return f"{costs['AUTO'] / costs['DEFAULT']:.2f} ({decoded['AUTO']} of {decoded['DEFAULT']} frames)"
