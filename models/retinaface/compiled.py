"""Run a batch function compiled, on the backend and the processor at hand: the only place that tells
backends apart.

Measured on two CPU cores, MobileNet x0.25, batch norms folded, one picture of 736 x 1280: Keras eagerly 157
ms, ``tf.function`` 59 ms, ``tf.function(jit_compile=True)`` 526 ms (XLA's CPU backend has no fast depthwise
convolution), frozen into constants 59 ms. Hence ``tf.function`` without XLA on TensorFlow and ``jax.jit``
on JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import DeviceError

Device = Literal["auto", "cpu", "gpu"]

#: Batch sizes that are compiled where each size costs a compilation; others are padded to the next one.
BATCH_BUCKETS: Final = (1, 2, 4, 8)


class CompiledBatchFunction:
    """``function`` of one uint8 (B, H, W, 3) tensor to a tuple of tensors (B, ...), compiled per input size.

    TensorFlow on a CPU compiles once per (H, W) for any B. Elsewhere each B is a compilation (JAX) or a
    search for the fastest kernels (GPU), so batches are padded with zeros to the next of ``buckets``
    (ascending). Batches above the largest bucket run in turns, which bounds the memory.

    Raises ``DeviceError`` when ``device`` is ``gpu`` and there is none. ``auto`` takes a GPU when there is
    one.
    """

    def __init__(
        self,
        function: Callable[[Any], tuple[Any, ...]],
        *,
        device: Device = "auto",
        buckets: Sequence[int] = BATCH_BUCKETS,
    ) -> None:
        self.buckets = tuple(buckets)
        self.device_name = resolved_device(device)
        self._pads = keras.backend.backend() != "tensorflow" or self.device_name.startswith("gpu")
        self._function = function
        self._compiled: dict[tuple[int, int], Callable[[Any], tuple[Any, ...]]] = {}

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Outputs as numpy arrays whose first axis is that of ``pixels`` (at least one picture)."""
        largest = self.buckets[-1]
        turns = [self._run(pixels[start : start + largest]) for start in range(0, len(pixels), largest)]
        if len(turns) == 1:
            return turns[0]
        return tuple(np.concatenate(parts) for parts in zip(*turns, strict=True))

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        count = len(pixels)
        if self._pads:
            bucket = next(size for size in self.buckets if size >= count)
            pixels = np.pad(pixels, ((0, bucket - count), (0, 0), (0, 0), (0, 0)))
        input_hw = (pixels.shape[1], pixels.shape[2])
        with keras.device(self.device_name):
            if input_hw not in self._compiled:
                self._compiled[input_hw] = _compiled(self._function, input_hw)
            outputs = self._compiled[input_hw](pixels)
            return tuple(np.asarray(keras.ops.convert_to_numpy(output))[:count] for output in outputs)


def resolved_device(device: Device) -> str:
    """The Keras name (``cpu:0`` or ``gpu:0``) of ``device``. Raises ``DeviceError`` when it is not there."""
    if device == "cpu":
        return "cpu:0"
    if _gpu_count():
        return "gpu:0"
    if device == "gpu":
        raise DeviceError(f"there is no GPU that {keras.backend.backend()} can use")
    return "cpu:0"


def _gpu_count() -> int:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

        return len(tf.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return sum(found.platform == "gpu" for found in jax.devices())
    return 0


def _compiled(
    function: Callable[[Any], tuple[Any, ...]], input_hw: Sequence[int]
) -> Callable[[Any], tuple[Any, ...]]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        # a concrete function per size: TensorFlow takes many sizes of one function for a mistake, and warns
        traced = tf.function(function, autograph=False)
        concrete = traced.get_concrete_function(tf.TensorSpec((None, *input_hw, 3), tf.uint8))
        return lambda pixels: concrete(tf.convert_to_tensor(pixels))
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return jax.jit(function)
    return function
