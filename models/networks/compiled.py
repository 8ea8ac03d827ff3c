"""Run a batch function compiled, on the backend and the processor at hand: the only place that tells
backends apart.

Measured on two CPU cores, MobileNet x0.25, batch norms folded, one picture of 736 x 1280: Keras eagerly 157
ms, ``tf.function`` 59 ms, ``tf.function(jit_compile=True)`` 526 ms (XLA's CPU backend has no fast depthwise
convolution), frozen into constants 59 ms. Hence ``tf.function`` without XLA on TensorFlow and ``jax.jit``
on JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import DeviceError
from models.runtime.choice import Device

#: Batch sizes that are compiled where each size costs a compilation; others are padded to the next one.
BATCH_BUCKETS: Final = (1, 2, 4, 8)


class CompiledFunction:
    """``function`` of tensors to a tensor or a nest of them, compiled for each set of shapes.

    The first ``batched`` arguments share their first axis, N, which may be any from 1 to the last of
    ``buckets`` (ascending). TensorFlow on a CPU compiles once for all N. Elsewhere each N is a compilation
    (JAX) or a search for the fastest kernels (GPU), so these arguments are padded with zeros to the next
    bucket; outputs are then as long as the bucket.

    Outputs stay on the device. ``pads`` says whether padding happens.
    """

    def __init__(
        self, function: Callable[..., Any], device_name: str, buckets: Sequence[int], *, batched: int = 1
    ) -> None:
        self.pads = keras.backend.backend() != "tensorflow" or device_name.startswith("gpu")
        self._function = function
        self._device_name = device_name
        self._buckets = tuple(buckets)
        self._batched = batched
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The function's answer to arrays or tensors of any shapes."""
        if self.pads:
            count = len(arguments[0])
            missing = next(size for size in self._buckets if size >= count) - count
            arguments = (
                *(_padded(array, missing) for array in arguments[: self._batched]),
                *arguments[self._batched :],
            )
        key = tuple((*map(int, argument.shape[1:]), str(argument.dtype)) for argument in arguments)
        with keras.device(self._device_name):
            if key not in self._compiled:
                self._compiled[key] = _compiled(self._function, arguments)
            return self._compiled[key](*arguments)


class CompiledBatchFunction:
    """``function`` of one uint8 (B, H, W, 3) tensor to a tuple of tensors (B, ...), compiled per input size.

    Batches above the largest of ``buckets`` (see ``CompiledFunction``) run in turns, which bounds the memory.

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
        self._compiled = CompiledFunction(function, self.device_name, self.buckets)

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Outputs as numpy arrays whose first axis is that of ``pixels`` (at least one picture)."""
        largest = self.buckets[-1]
        turns = [self._run(pixels[start : start + largest]) for start in range(0, len(pixels), largest)]
        if len(turns) == 1:
            return turns[0]
        return tuple(np.concatenate(parts) for parts in zip(*turns, strict=True))

    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        outputs = self._compiled(pixels)
        return tuple(np.asarray(keras.ops.convert_to_numpy(output))[: len(pixels)] for output in outputs)


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


def _padded(array: Any, missing: int) -> Any:
    return np.pad(array, ((0, missing), *((0, 0),) * (array.ndim - 1)))


def _compiled(function: Callable[..., Any], arguments: Sequence[Any]) -> Callable[..., Any]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

        # a concrete function per set of shapes: TensorFlow takes many sizes of one function for a mistake
        specs = [tf.TensorSpec((None, *argument.shape[1:]), argument.dtype) for argument in arguments]
        concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
        return lambda *given: concrete(*(tf.convert_to_tensor(one) for one in given))
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return jax.jit(function)
    return function
