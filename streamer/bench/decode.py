"""What decoding costs, and what making a frame into pixels at the network's size costs beside it."""

import time
from pathlib import Path
from typing import Any

import av

from models.letterbox import default_input_size, input_hw_for, letterbox_geometry
from streamer.bench.figures import peak_memory_mb, percentiles_ms
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source


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
        "peak_memory_mb": peak_memory_mb(),
    }
