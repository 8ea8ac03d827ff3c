"""Run a batch function compiled, on the backend and the processor at hand: the only place that tells
backends apart.

Measured on two CPU cores, MobileNet x0.25, batch norms folded, one picture of 736 x 1280: Keras eagerly 157
ms, ``tf.function`` 59 ms, ``tf.function(jit_compile=True)`` 526 ms (XLA's CPU backend has no fast depthwise
convolution), frozen into constants 59 ms. Hence ``tf.function`` without XLA on TensorFlow and ``jax.jit``
on JAX. On a GPU TensorFlow compiles with XLA too, as JAX does anyway.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from models.errors import DeviceError
from models.runtime.choice import Device

#: Batch sizes that are compiled where each size costs a compilation; others are padded to the next one.
BATCH_BUCKETS: Final = (1, 2, 4, 8)

#: The same on a GPU, which larger batches fill.
GPU_BATCH_BUCKETS: Final = (*BATCH_BUCKETS, 16, 32)

_log = logging.getLogger(__name__)


class CompiledFunction:
    """``function`` of tensors to a tensor or a nest of them, compiled for each set of shapes.

    The first ``batched`` arguments share their first axis, N, which may be any from 1 to the last of
    ``buckets`` (ascending). TensorFlow on a CPU compiles once for all N. Elsewhere each N is a compilation
    (JAX) or a search for the fastest kernels (GPU), so these arguments are padded with zeros to the next
    bucket; outputs are then as long as the bucket.

    Outputs stay on the device, and on a GPU need not be there yet: ``fetched`` waits for them. ``pads`` says whether
    padding happens; ``xla`` whether TensorFlow compiles with XLA (None: on a GPU), which it does without where XLA
    lacks an operation.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        device_name: str,
        buckets: Sequence[int],
        *,
        batched: int = 1,
        xla: bool | None = None,
    ) -> None:
        self._xla = device_name.startswith("gpu") if xla is None else xla
        self.pads = keras.backend.backend() != "tensorflow" or device_name.startswith("gpu") or self._xla
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
        own = 0 if self._xla else 1
        key = tuple((*map(int, argument.shape[own:]), str(argument.dtype)) for argument in arguments)
        with keras.device(self._device_name):
            if key not in self._compiled:
                self._compiled[key] = _compiled(self._function, arguments, xla=self._xla)
            return self._compiled[key](*arguments)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Give back what was compiled for first arguments (N, H, W, channels) of this size."""
        # the key ends with height, width, channels and the type
        for key in [key for key in self._compiled if key[0][-4:-2] == input_hw]:
            del self._compiled[key]


class CompiledBatchFunction:
    """``function`` of one uint8 (B, H, W, 3) tensor to a tuple of tensors (B, ...), compiled per input size.

    Batches above the largest of ``buckets`` (see ``CompiledFunction``; None: ``batch_buckets``) run in turns, which
    bounds the memory; on a GPU one turn computes while the last one's outputs are fetched.

    Raises ``DeviceError`` when ``device`` is ``gpu`` and there is none. ``auto`` takes a GPU when there is
    one.
    """

    def __init__(
        self,
        function: Callable[[Any], tuple[Any, ...]],
        *,
        device: Device = "auto",
        buckets: Sequence[int] | None = None,
    ) -> None:
        self.device_name = resolved_device(device)
        self.buckets = tuple(buckets or batch_buckets(self.device_name))
        self._compiled = CompiledFunction(function, self.device_name, self.buckets)

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """Outputs as numpy arrays whose first axis is that of ``pixels`` (at least one picture)."""
        largest = self.buckets[-1]
        turns: list[tuple[NDArray[Any], ...]] = []
        begun = None
        for start in range(0, len(pixels), largest):
            following = self._compiled(pixels[start : start + largest])
            if begun is not None:
                turns.append(fetched(begun))
            begun = following
        last = len(pixels) - len(turns) * largest
        turns.append(tuple(output[:last] for output in fetched(begun)))
        if len(turns) == 1:
            return turns[0]
        return tuple(np.concatenate(parts) for parts in zip(*turns, strict=True))

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Give back what was compiled for an input size."""
        self._compiled.forget(input_hw)


def batch_buckets(device_name: str) -> tuple[int, ...]:
    """The batch sizes that are compiled for pictures, by the Keras name of the device."""
    return GPU_BATCH_BUCKETS if device_name.startswith("gpu") else BATCH_BUCKETS


def fetched(outputs: Any) -> tuple[NDArray[Any], ...]:
    """Tensors as numpy arrays, once they are computed: all copies are under way before the first is waited for, where
    the backend can."""
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 - only where it is the backend

        return tuple(np.asarray(output) for output in jax.device_get(tuple(outputs)))
    return tuple(np.asarray(keras.ops.convert_to_numpy(output)) for output in outputs)


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


def _compiled(function: Callable[..., Any], arguments: Sequence[Any], *, xla: bool) -> Callable[..., Any]:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 - only where it is the backend

        def concrete(*, with_xla: bool) -> Callable[..., Any]:
            # a concrete function per set of shapes: TensorFlow takes many sizes of one function for a mistake
            specs = [
                tf.TensorSpec(
                    (int(argument.shape[0]) if with_xla else None, *argument.shape[1:]), argument.dtype
                )
                for argument in arguments
            ]
            made = tf.function(function, autograph=False, jit_compile=with_xla).get_concrete_function(*specs)
            return lambda *given: made(*(tf.convert_to_tensor(one) for one in given))

        if xla:
            with_xla = concrete(with_xla=True)
            try:
                with_xla(*arguments)  # it compiles when it runs
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                _log.warning(
                    "XLA does not take a network (%s); it runs without", str(error).partition("\n")[0]
                )
            else:
                return with_xla
        return concrete(with_xla=False)
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return jax.jit(function)
    return function
