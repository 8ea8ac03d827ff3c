"""What the detector costs by batch size, and how much of it is not the network."""

import itertools
import os
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from models.letterbox import default_input_size, input_hw_for, letterbox_batch
from models.loading import installed_models, weights_paths
from models.mask_rcnn.detector import MaskRcnnDetector
from models.retinaface.detector import RetinaFaceDetector
from models.runtime.choice import chosen_runtime
from models.runtime.precision import PrecisionChoice, chosen_precision
from models.runtime.session import SessionOptions
from models.structures import ImageBatch
from streamer.bench.figures import peak_memory_mb, spread
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
    """Milliseconds a picture at each batch size: the networks alone (the floor) and the whole detector, by turns.

    ``models`` look; None: all that are installed. ``ratio_batch_...`` is of processor time, the rest wall clock.
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
        floor_ms, whole_ms, ratios = [], [], []
        for repeat in range(repeats + 1):
            floor, floor_cpu = _timed_ms(networks, batch)
            whole, whole_cpu = _timed_ms([partial(detector.detect, input_hw=input_hw)], chosen)
            if repeat:  # the first one compiles the networks
                floor_ms.append(floor / size)
                whole_ms.append(whole / size)
                ratios.append(whole_cpu / floor_cpu)
        figures[f"batch_{size}_floor_ms"] = spread(floor_ms, digits=1)
        figures[f"batch_{size}_whole_ms"] = spread(whole_ms, digits=1)
        figures[f"ratio_batch_{size}"] = spread(ratios, digits=3)
    figures["peak_memory_mb"] = peak_memory_mb()
    return figures


def _timed_ms(work: Sequence[Callable[[Any], object]], given: object) -> tuple[float, float]:
    """Milliseconds of ``work`` on ``given`` by the clock, and of the processor in all threads."""
    started, started_cpu = time.perf_counter(), time.process_time()
    for part in work:
        part(given)
    return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - started_cpu)


def _network(name: str) -> Callable[[ImageBatch], object]:
    """The network of a model, without what surrounds it in the detector."""
    path, runtime = weights_paths(names=[name])[name], chosen_runtime()
    options = None
    if runtime == "openvino":
        # as exactly as `load_detector` has it
        asked = cast(PrecisionChoice, os.environ.get("PPEWATCH_PRECISION", "auto"))
        options = SessionOptions(chosen_precision(asked))
    if name == "maskrcnn":
        detector = MaskRcnnDetector(path, score_threshold=LEAST_SCORE, runtime=runtime, options=options)
        return detector.detect_batch
    return RetinaFaceDetector(path, score_threshold=LEAST_SCORE, runtime=runtime, options=options).detect
