"""Functions of Keras as graphs of OpenVINO. Needs TensorFlow, and the backend of that name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.errors import ExportError
from models.runtime.openvino_start import load_converter, load_openvino

#: Shape of an input, None where any number does, and its type.
InputSpec = tuple[Sequence[int | None], str]


def converted(
    function: Callable[..., tuple[Any, ...]], inputs: Mapping[str, InputSpec], outputs: Sequence[str]
) -> Any:
    """``function`` of tensors, in the order of ``inputs``, to a tuple of as many as ``outputs``, as a graph with these
    names.

    Raises ``ExportError`` when OpenVINO has no such operations.
    """
    import tensorflow as tf  # noqa: PLC0415 - not wanted before it is needed

    specs = [tf.TensorSpec(tuple(shape), dtype, name=name) for name, (shape, dtype) in inputs.items()]
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    try:
        graph = load_converter()(concrete, share_weights=False)
    except Exception as error:
        # its front ends raise classes of their own, some of them without a common root
        raise ExportError(f"OpenVINO cannot take the network over: {error}") from error
    # TensorFlow numbers what a function returns; what the converter adds are sizes that some layer asked for
    wanted = [graph.output(f"Identity{f'_{number}' if number else ''}:0") for number in range(len(outputs))]
    parameters = {_function_name(parameter): parameter for parameter in graph.get_parameters()}
    ordered = [parameters[name] for name in inputs]
    return named_graph([output.get_node().input_value(0) for output in wanted], ordered, inputs, outputs)


def named_graph(
    results: Sequence[Any], parameters: Sequence[Any], inputs: Any, outputs: Sequence[str]
) -> Any:
    """A graph from ``parameters`` to ``results`` (outputs of nodes), named as said."""
    graph = load_openvino().Model(list(results), list(parameters), "network")
    for port, name in zip([*graph.inputs, *graph.outputs], [*inputs, *outputs], strict=True):
        port.get_tensor().set_names({name})
    return graph


def _function_name(parameter: Any) -> str:
    return str(parameter.get_friendly_name())
