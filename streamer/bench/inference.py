"""What the detector costs by batch size, and how much of it is not the network."""

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

from models.letterbox import input_hw_for, letterbox_batch
from models.loading import weights_paths
from models.retinaface.detector import RetinaFaceDetector
from streamer.bench.figures import peak_memory_mb
from streamer.detector_loading import LEAST_SCORE, load_detector
from streamer.inference.demand import default_input_size
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source


def measure_inference(
    clip: Path, *, batch_sizes: tuple[int, ...] = (1, 2, 4), repeats: int = 12
) -> dict[str, Any]:
    """Median milliseconds a picture at each batch size: the face network alone (the floor) and the whole detector."""
    source = Source(str(clip), paced=False, start_epoch_s=0.0)
    session = Session(camera_id="bench", sink=NoSink(), fps=1.0)
    frames = list(itertools.islice(read_frames(source, session), 8))
    input_hw = input_hw_for(frames[0].image_hw, default_input_size(frames[0].image_hw))
    detector = load_detector()
    network = RetinaFaceDetector(weights_paths()["retinaface"], score_threshold=LEAST_SCORE)
    figures: dict[str, Any] = {"clip": clip.name, "input": f"{input_hw[1]}x{input_hw[0]}"}
    for size in batch_sizes:
        chosen = (frames * size)[:size]
        batch = letterbox_batch(chosen, input_hw)
        detector.warm_up(input_hw, (size,))
        network.warm_up(input_hw, (size,))
        detector.detect(chosen, input_hw)
        network.detect(batch)
        floor_s, whole_s = [], []
        for _ in range(repeats):
            started = time.perf_counter()
            network.detect(batch)
            between = time.perf_counter()
            detector.detect(chosen, input_hw)
            floor_s.append((between - started) / size)
            whole_s.append((time.perf_counter() - between) / size)
        floor, whole = statistics.median(floor_s) * 1000, statistics.median(whole_s) * 1000
        figures[f"batch_{size}"] = {
            "floor_ms": round(floor, 1),
            "whole_ms": round(whole, 1),
            "ratio": round(whole / floor, 2),
        }
    figures["peak_memory_mb"] = peak_memory_mb()
    return figures
