"""The benches of ``ppewatch bench all``: done in some minutes on two cores, repeated all the same."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.loading import installed_models
from streamer.bench.clips import camera_clip
from streamer.bench.decode import measure_decode
from streamer.bench.inference import measure_inference
from streamer.bench.memory import measure_memory
from streamer.bench.pipeline import measure_pipeline
from streamer.bench.rules import measure_rules
from streamer.bench.throughput import measure_throughput


def short_set(clip: Path, *, seconds: float = 6.0, repeats: int = 5) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and figures of one bench after the other; ``seconds`` for each stretch of those that run the daemon."""
    few = min(3, repeats)
    yield "decode", measure_decode(clip, repeats=repeats)
    for model in sorted(installed_models()):
        yield f"inference {model}", measure_inference(clip, batch_sizes=(1,), repeats=repeats, models=[model])
    yield "rules", measure_rules((40,), frames=100, cameras=(10, 300), runs=repeats)
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        large = camera_clip(clip, Path(folder), seconds=2 * seconds)
        yield (
            "throughput",
            measure_throughput(large, models=["retinaface"], seconds=seconds, repeats=repeats),
        )
    yield (
        "pipeline",
        measure_pipeline(
            clip, cameras=2, fps=5.0, seconds=2 * seconds * few, models=["retinaface"], repeats=few
        ),
    )
    yield (
        "memory",
        measure_memory(clip, models=["retinaface"], cameras=(1,), settle_s=seconds, repeats=few),
    )
