"""Run a function of tensors compiled, on the backend and the processor at hand."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


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
