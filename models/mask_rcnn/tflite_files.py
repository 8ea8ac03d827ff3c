"""Read the convolutions of an 8-bit TFLite file as floats, without running the file.

The file is a flatbuffer: numbers and offsets, no code. Each tensor is quantised as a whole (Jacob et al. 2017,
arXiv:1712.05877): real = scale * (quantised - zero point), with biases of 32 bits and zero point 0.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema

from models.errors import WeightsError

_DTYPES: Final[Mapping[int, np.dtype[Any]]] = {
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT32: np.dtype("<i4"),
}

#: More operators, or values in a tensor, than this are no network of ours but damage.
_MAX_OPERATORS: Final = 10_000
_MAX_VALUES: Final = 1 << 28

#: What damaged offsets and lengths can make the flatbuffer reader raise.
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    IndexError,
    MemoryError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class TfliteConvolution:
    """One convolution in Keras' order of axes.

    - ``name``: that of its kernel in the file, up to ``/weights_quant``: ``MobilenetV2/Conv``.
    - ``kernel``: float32 (h, w, in, out), or (h, w, C, 1) when ``depthwise``.
    - ``bias``: float32 (out,) or (C,).
    """

    name: str
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    depthwise: bool


def read_tflite_convolutions(path: Path) -> list[TfliteConvolution]:
    """The convolutions of a quantised ``.tflite`` file, in the order in which it runs them.

    Raises ``WeightsError`` when the file cannot be read, is damaged, or is not quantised per tensor to 8
    bits.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    if data[4:8] != b"TFL3":
        raise WeightsError(f"{path}: is no TFLite file")
    try:
        return list(_convolutions(schema.Model.GetRootAsModel(data, 0)))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise WeightsError(f"{path}: is a damaged TFLite file: {error}") from error


def _convolutions(model: Any) -> Iterator[TfliteConvolution]:
    graph = model.Subgraphs(0)
    count = graph.OperatorsLength()
    if count > _MAX_OPERATORS:
        raise WeightsError("is a damaged TFLite file: more operators than a network has")
    for number in range(count):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        # files older than the wider field have the code in the narrow one, and 0 in the other
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        depthwise = kind == schema.BuiltinOperator.DEPTHWISE_CONV_2D
        if not depthwise and kind != schema.BuiltinOperator.CONV_2D:
            continue
        if operator.InputsLength() != 3:
            raise WeightsError("has a convolution without a bias")
        kernel_tensor, bias_tensor = (graph.Tensors(operator.Inputs(place)) for place in (1, 2))
        name = kernel_tensor.Name().decode().partition("/weights")[0]
        kernel, bias = _real(model, kernel_tensor, 4), _real(model, bias_tensor, 1)
        # (out, h, w, in) and (1, h, w, C) as they are stored
        if bias.shape != (kernel.shape[3 if depthwise else 0],) or (depthwise and kernel.shape[0] != 1):
            raise WeightsError(f"{name}: kernel and bias disagree")
        kernel = kernel.transpose(1, 2, 3, 0)
        yield TfliteConvolution(name, np.ascontiguousarray(kernel), bias, depthwise)


def _real(model: Any, tensor: Any, rank: int) -> NDArray[np.float32]:
    """The dequantised values of a constant tensor of ``rank`` axes."""
    name = tensor.Name().decode()
    dtype, quantisation = _DTYPES.get(tensor.Type()), tensor.Quantization()
    if dtype is None or quantisation is None or quantisation.ScaleLength() != 1:
        raise WeightsError(f"{name} is not quantised per tensor to 8 bits")
    shape = tuple(int(side) for side in np.atleast_1d(tensor.ShapeAsNumpy()))
    buffer = model.Buffers(tensor.Buffer())
    values = math.prod(shape)
    if len(shape) != rank or min(shape) < 1 or values > _MAX_VALUES:
        raise WeightsError(f"{name} has the shape {shape}")
    if buffer.DataLength() != values * dtype.itemsize:
        raise WeightsError(f"{name} is {buffer.DataLength()} bytes, not {values * dtype.itemsize}")
    quantised = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype).reshape(shape)
    zero_point = quantisation.ZeroPoint(0) if quantisation.ZeroPointLength() else 0
    real = (quantised.astype(np.float64) - zero_point) * quantisation.Scale(0)
    if not (np.abs(real) < np.finfo(np.float32).max).all():
        raise WeightsError(f"{name} holds values that are not finite")
    return np.asarray(real, np.float32)
