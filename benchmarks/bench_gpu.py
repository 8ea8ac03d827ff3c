"""What Keras' networks cost a picture on the device that there is, by batch size, against what the device could do.

    KERAS_BACKEND=jax python benchmarks/bench_gpu.py --batch 1 2 4 8 16 32 --precision bf16

The floor is the roofline of the network's own layers (Williams et al. 2009): each takes as long as its multiplications
at the rate of a large matrix product, or as its inputs, outputs and weights at the rate of a large copy, whichever is
longer; both rates are measured first, on the same device in the same precision. ``whole`` is uploading, the networks,
decoding and fetching; ``host`` is letterboxing; ``in turn`` is both one after the other, and ``ahead`` both at once,
the next batch being letterboxed while the last one is computed. With TensorFlow or JAX, on a GPU or a processor.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from models.keras_start import load_keras
from models.letterbox import input_hw_for, letterbox_batch
from models.weights import STORE, load_weights


@dataclass(frozen=True)
class LayerCost:
    """Of one call of a layer for one picture: multiply-adds, numbers that flow in and out, numbers of its weights."""

    multiply_adds: int
    flowing: int
    weights: int


@dataclass(frozen=True)
class Rates:
    """What the device does, measured: multiply-adds and bytes a second."""

    multiply_adds_s: float
    bytes_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    args = _arguments(arguments)
    load_keras()
    import keras

    from models.networks.compiled import batch_buckets, resolved_device
    from models.networks.half_precision import computing_in

    device = resolved_device(args.device)
    with computing_in(args.precision):
        rates = measured_rates(device, args.precision, side=args.matrix_side)
    rows = []
    for name in args.models:
        network, find = _finder(name, args)
        costs = layer_costs(network, args.input_hw)
        for size in args.batch:
            if size > batch_buckets(device)[-1] and not args.json:
                print(f"batches of {size} run in turns of {batch_buckets(device)[-1]}")
            rows.append(
                {"model": name, "batch": size}
                | timings(find, args.input_hw, size, repeats=args.repeats)
                | {"floor_ms": 1000 * floor_s(costs, rates, size, args.precision) / size}
            )
            rows[-1]["ratio"] = rows[-1]["whole_ms"] / rows[-1]["floor_ms"]
    facts = {
        "device": _device_name(device),
        "backend": keras.backend.backend(),
        "precision": args.precision,
        "input": "{1}x{0}".format(*args.input_hw),
        "tera_multiply_adds_s": rates.multiply_adds_s / 1e12,
        "gigabytes_s": rates.bytes_s / 1e9,
    }
    _tell(facts, rows, as_json=args.json)
    return 0


def layer_costs(look: Callable[[Any], object], input_hw: tuple[int, int]) -> list[LayerCost]:
    """What each layer with weights costs in one call of ``look`` on a picture."""
    import keras

    costs = []

    def note(layer: Any, inputs: Any, outputs: Any) -> None:
        kernel = tuple(int(side) for side in layer.kernel.shape)
        came, went = (int(np.prod([int(side) for side in value.shape])) for value in (inputs, outputs))
        if isinstance(layer, keras.layers.Conv2DTranspose):
            products = came * kernel[0] * kernel[1] * kernel[2]
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            products = went * kernel[0] * kernel[1]
        else:
            products = went * int(np.prod(kernel[:-1]))
        weights = sum(int(np.prod(weight.shape)) for weight in layer.weights)
        costs.append(LayerCost(products, came + went, weights))

    with _calls_noted(note):
        look(np.zeros((1, *input_hw, 3), np.uint8))
    return costs


@contextmanager
def _calls_noted(note: Callable[[Any, Any, Any], None]) -> Iterator[None]:
    """Each call of a layer that multiplies is noted."""
    import keras

    kinds = (
        keras.layers.Conv2D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Conv2DTranspose,
        keras.layers.Dense,
    )
    before = {kind: kind.call for kind in kinds}

    def noted(kind: Any) -> Callable[..., Any]:
        def call(self: Any, inputs: Any, *more: Any, **options: Any) -> Any:
            outputs = before[kind](self, inputs, *more, **options)
            if type(self) is kind:
                note(self, inputs, outputs)
            return outputs

        return call

    for kind in kinds:
        kind.call = noted(kind)
    try:
        yield
    finally:
        for kind, call in before.items():
            kind.call = call


def floor_s(costs: Sequence[LayerCost], rates: Rates, batch: int, precision: str) -> float:
    """The roofline of a batch: weights are read once for all its pictures."""
    wide = 2 if precision == "bf16" else 4
    return sum(
        max(
            batch * cost.multiply_adds / rates.multiply_adds_s,
            wide * (batch * cost.flowing + cost.weights) / rates.bytes_s,
        )
        for cost in costs
    )


def measured_rates(device: str, precision: str, *, side: int) -> Rates:
    """The best of several large matrix products and copies."""
    import keras

    from models.networks.compiled import CompiledFunction, fetched

    dtype = "bfloat16" if precision == "bf16" else "float32"
    with keras.device(device):
        first, second = (keras.random.normal((side, side), dtype=dtype, seed=seed) for seed in (1, 2))
        long = keras.ops.ones((16 * side, side), dtype=dtype)
    multiply = CompiledFunction(
        # the largest number of a product can be told from nothing less than the product
        lambda a, b: (keras.ops.max(keras.ops.matmul(a, b)),),
        device,
        (side,),
        batched=0,
    )
    copy = CompiledFunction(lambda a: (a + 1, a[:1, :1] + 1), device, (16 * side,), batched=0)
    product_s = _best_s(lambda: fetched(multiply(first, second)))
    copy_s = _best_s(lambda: fetched(copy(long)[1:]))
    wide = 2 if precision == "bf16" else 4
    return Rates(side**3 / product_s, 2 * wide * 16 * side * side / copy_s)


def timings(
    find: Callable[[Any], object], input_hw: tuple[int, int], size: int, *, repeats: int
) -> dict[str, float]:
    """Median milliseconds a picture, see above."""
    frames = [_Picture(input_hw) for _ in range(size)]
    batch = letterbox_batch(frames, input_hw)
    for _ in range(2):
        find(batch.pixels)
    whole, host, in_turn, ahead = [], [], [], []
    with ThreadPoolExecutor(1) as helper:
        for _ in range(repeats):
            whole.append(_best_s(lambda: find(batch.pixels), tries=1))
            host.append(_best_s(lambda: letterbox_batch(frames, input_hw), tries=1))
            started = time.perf_counter()
            for _ in range(2):
                find(letterbox_batch(frames, input_hw).pixels)
            in_turn.append((time.perf_counter() - started) / 2)
            started = time.perf_counter()
            following = helper.submit(letterbox_batch, frames, input_hw)
            for _ in range(2):
                pixels = following.result().pixels
                following = helper.submit(letterbox_batch, frames, input_hw)
                find(pixels)
            following.result()
            # one batch more is letterboxed than is computed
            ahead.append((time.perf_counter() - started - host[-1]) / 2)
    named = {"whole_ms": whole, "host_ms": host, "in_turn_ms": in_turn, "ahead_ms": ahead}
    return {name: 1000 * statistics.median(seconds) / size for name, seconds in named.items()}


class _Picture:
    """A frame of a camera of 1080p that is scaled and converted anew each time."""

    image_hw = (1080, 1920)

    def __init__(self, input_hw: tuple[int, int]) -> None:
        import av

        rows, columns = np.mgrid[0:1080, 0:1920]
        rgb = np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)
        self._frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        self._input_hw = input_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> Any:
        from streamer.ingest.video_picture import VideoPicture

        return VideoPicture(self._frame).rgb(size_hw)


def _finder(name: str, args: argparse.Namespace) -> tuple[Callable[[Any], object], Callable[[Any], object]]:
    """What a model computes for pixels, eagerly, and its finder."""
    path = STORE / f"{name}.safetensors"
    given = {"origin": path, "device": args.device, "precision": args.precision}
    if name == "retinaface":
        from models.retinaface.keras_candidates import KerasCandidates, candidates, network_of

        network = network_of(load_weights(path), **given)
        finder = KerasCandidates(network, device=args.device)
        return lambda pixels: candidates(network, pixels), lambda pixels: finder.find(pixels, 0.5)
    from models.mask_rcnn.keras_finder import KerasFinder
    from models.mask_rcnn.keras_finder import network_of as mask_rcnn_of
    from models.mask_rcnn.settings import DetectionSettings, usual_proposals

    whole = mask_rcnn_of(load_weights(path), **given)
    limits = DetectionSettings(score_threshold=0.5)
    instances = KerasFinder(whole, usual_proposals, limits, device=args.device)
    return lambda pixels: whole.find(pixels, usual_proposals(args.input_hw), limits), instances.find


def _best_s(work: Callable[[], object], tries: int = 5) -> float:
    seconds = []
    if tries > 1:
        work()  # compiles
    for _ in range(tries):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _device_name(device: str) -> str:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return str(jax.devices()[0].device_kind)
    return device


def _tell(facts: dict[str, Any], rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts | {"rows": rows}))
        return
    for name, value in facts.items():
        print(f"{name:<22} {value if isinstance(value, str) else format(value, '.3g')}")
    heads = ("model", "batch", "whole_ms", "floor_ms", "ratio", "host_ms", "in_turn_ms", "ahead_ms")
    print("".join(f"{head:>12}" for head in heads))
    for row in rows:
        cells = (row[head] if isinstance(row[head], str) else format(row[head], ".4g") for head in heads)
        print("".join(f"{cell:>12}" for cell in cells))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="+", choices=("retinaface", "maskrcnn"), default=["retinaface", "maskrcnn"]
    )
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32], metavar="N")
    parser.add_argument(
        "--input-size", type=int, default=1280, metavar="PX", help="longest side of the input"
    )
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--repeats", type=int, default=20, metavar="N")
    parser.add_argument(
        "--matrix-side", type=int, default=4096, metavar="N", help="of the product that is measured"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    args.input_hw = input_hw_for((1080, 1920), args.input_size)
    return args


if __name__ == "__main__":
    sys.exit(main())
