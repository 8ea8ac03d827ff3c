"""What the detector costs by batch size, and how much of it is not the network."""

import itertools
import statistics
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from models.letterbox import default_input_size, input_hw_for, letterbox_batch
from models.loading import installed_models, weights_paths
from models.mask_rcnn.detector import MaskRcnnDetector
from models.retinaface.detector import RetinaFaceDetector
from models.runtime.choice import chosen_runtime
from models.structures import ImageBatch
from streamer.bench.figures import peak_memory_mb
from streamer.detector_loading import LEAST_SCORE, load_detector
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source


def measure_inference(
    clip: Path,
    *,
    batch_sizes: tuple[int, ...] = (1, 2, 4),
    repeats: int = 12,
    models: Collection[str] | None = None,
) -> dict[str, Any]:
    """Median milliseconds a picture at each batch size: the networks alone (the floor) and the whole detector.

    ``models`` look; None: all that are installed.
    """
    lookers = sorted(installed_models() if models is None else models)
    source = Source(str(clip), paced=False, start_epoch_s=0.0)
    session = Session(camera_id="bench", sink=NoSink(), fps=1.0)
    frames = list(itertools.islice(read_frames(source, session), 8))
    input_hw = input_hw_for(frames[0].image_hw, default_input_size(frames[0].image_hw))
    detector = load_detector(models=lookers)
    networks = [_network(name) for name in lookers]
    figures: dict[str, Any] = {
        "clip": clip.name,
        "models": " ".join(lookers),
        "input": f"{input_hw[1]}x{input_hw[0]}",
    }
    for size in batch_sizes:
        chosen = (frames * size)[:size]
        batch = letterbox_batch(chosen, input_hw)
        detector.warm_up(input_hw, (size,))
        detector.detect(chosen, input_hw)
        floor_s, whole_s = [], []
        for repeat in range(repeats + 1):
            started = time.perf_counter()
            for network in networks:
                network(batch)
            between = time.perf_counter()
            detector.detect(chosen, input_hw)
            if repeat:  # the first one compiles the networks
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


def _network(name: str) -> Callable[[ImageBatch], object]:
    """The network of a model, without what surrounds it in the detector."""
    path, runtime = weights_paths(names=[name])[name], chosen_runtime()
    if name == "maskrcnn":
        return MaskRcnnDetector(path, score_threshold=LEAST_SCORE, runtime=runtime).detect_batch
    return RetinaFaceDetector(path, score_threshold=LEAST_SCORE, runtime=runtime).detect
