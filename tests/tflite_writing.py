"""A small 8-bit network as a TFLite file."""

from pathlib import Path

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema


def tensor_of(name: str, values: np.ndarray, buffer: int, scale: float, zero_point: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(values.shape), buffer
    tensor.type = schema.TensorType.INT32 if values.dtype == np.int32 else schema.TensorType.UINT8
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    return tensor


def small_model() -> schema.ModelT:
    """A convolution to 4 channels and a depthwise one, with made-up numbers."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs = 3, [graph]
    kernel = np.arange(108, dtype=np.uint8).reshape(4, 3, 3, 3)
    depthwise = np.arange(36, dtype=np.uint8).reshape(1, 3, 3, 4)
    values = [
        np.zeros((1, 8, 8, 3), np.uint8),
        kernel,
        np.array([-10, 0, 10, 20], np.int32),
        depthwise,
        np.array([1, 2, 3, 4], np.int32),
    ]
    names = ["input", "Conv", "Conv/bias", "expanded_conv/depthwise", "expanded_conv/depthwise/bias"]
    graph.tensors, model.buffers = [], [schema.BufferT()]
    for number, (name, value) in enumerate(zip(names, values, strict=True), start=1):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(value.tobytes(), np.uint8)
        model.buffers.append(buffer)
        zero_point = 100 if value.dtype == np.uint8 else 0
        weights = "/weights_quant/FakeQuant" if value.shape in (kernel.shape, depthwise.shape) else ""
        graph.tensors.append(tensor_of(f"MobilenetV2/{name}{weights}", value, number, 0.5, zero_point))
    model.operatorCodes, graph.operators = [], []
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    for number, kind in enumerate(kinds):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            number,
            [0, 1 + 2 * number, 2 + 2 * number],
            [0],
        )
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    return model


def write(path: Path, model: schema.ModelT) -> Path:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path
