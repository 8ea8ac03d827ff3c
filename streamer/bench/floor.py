"""The floor: what decoding and inference cost when nothing else runs."""

import time
from pathlib import Path

from models.detector import Detector
from models.letterbox import default_input_size, input_hw_for
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source


def decode_and_detect_s(
    clip: Path, detector: Detector, *, frames: int, fps: float
) -> tuple[list[float], list[float]]:
    """Seconds that each of ``frames`` looks at ``clip`` takes: decoding up to that frame, and detecting on it alone.

    Frames are sampled at ``fps``, so the decoding of those between counts, as it does for a camera. The models are
    warmed up before.
    """
    source = Source(str(clip), paced=False, loop=True, start_epoch_s=0.0)
    decoding: list[float] = []
    detecting: list[float] = []
    started = time.perf_counter()
    for frame in read_frames(source, Session(camera_id="floor", sink=NoSink(), fps=fps)):
        decoded = time.perf_counter()
        input_hw = input_hw_for(frame.image_hw, default_input_size(frame.image_hw))
        if not decoding:
            detector.warm_up(input_hw, (1,))
            detector.detect([frame], input_hw)
            decoded = started = time.perf_counter()
        detector.detect([frame], input_hw)
        done = time.perf_counter()
        decoding.append(decoded - started)
        detecting.append(done - decoded)
        started = done
        if len(decoding) > frames:
            break
    # the first one carried the opening of the file and the warm-up
    return decoding[1:], detecting[1:]
