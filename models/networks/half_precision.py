"""Networks of Keras that multiply in bfloat16: on a GPU about twice as fast, and less exact.

Weights stay 32 bits wide, and so do sums; what flows between layers has 8 bits of mantissa (Kalamkar et al. 2019,
arXiv:1905.12322). Logits move by some hundredths and boxes by up to some pixels: an option, like OpenVINO's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import keras

from models.networks.compiled import resolved_device
from models.runtime.choice import Device
from models.runtime.session import SessionOptions

KerasPrecision = Literal["f32", "bf16"]


def keras_precision(options: SessionOptions | None, device: Device) -> KerasPrecision:
    """What ``options`` ask for, where ``device`` is one that gains by it: a GPU.

    Raises ``DeviceError`` when the device is not there.
    """
    asked = options is not None and options.precision == "bf16"
    return "bf16" if asked and resolved_device(device).startswith("gpu") else "f32"


@contextmanager
def computing_in(precision: KerasPrecision) -> Iterator[None]:
    """Networks that are built inside compute so; layers that name a type of their own keep it."""
    if precision == "f32":
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
