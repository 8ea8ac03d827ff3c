"""A graph, compiled for the CPU and ready to run.

A graph is compiled for pictures of one size, one at a time. Measured on two cores, RetinaFace x0.25 at 736 x 1280,
processor time a picture: 57 ms; compiled for any size 68 ms; in batches of four, 65 to 70 ms, with three times the
memory. So batches are run picture by picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.runtime.memory import return_free_memory
from models.runtime.openvino_start import load_openvino, openvino_core
from models.runtime.precision import Precision, processor_has_bf16

#: Sizes that are used without having been announced; of these the last ones stay compiled.
_PASSING_SIZES: Final = 4


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How graphs run.

    - ``precision``: ``bf16`` is up to twice as fast as ``f32`` where the processor has it, and less exact. ``int8``
      means graphs that were quantised (``models.runtime.quantised``); what is left in them of other sums is ``bf16``
      where the processor has it.
    - ``threads``: None takes all cores.
    """

    precision: Precision = "f32"
    threads: int | None = None

    @property
    def properties(self) -> dict[str, Any]:
        """What OpenVINO calls them."""
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": self._sums,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # decoders run on the same cores, and move
            "ENABLE_CPU_PINNING": False,
        }
        return settings if self.threads is None else {**settings, "INFERENCE_NUM_THREADS": self.threads}

    @property
    def _sums(self) -> str:
        if self.precision != "int8":
            return self.precision
        return "bf16" if processor_has_bf16() else "f32"


class Session:
    """One compiled graph with the memory that it runs in. Not for several threads at once.

    ``shapes``: of the inputs, by name, where they shall be other than those of the graph.
    """

    def __init__(
        self,
        graph: Any,
        options: SessionOptions | None = None,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._tensor = load_openvino().Tensor
        if shapes:
            graph = graph.clone()
            graph.reshape({name: list(shape) for name, shape in shapes.items()})
        chosen = (options or SessionOptions()).properties
        self._request = openvino_core().compile_model(graph, "CPU", chosen).create_infer_request()
        self._outputs = tuple(output.get_any_name() for output in graph.outputs)

    def run(self, **inputs: Any) -> dict[str, NDArray[np.float32]]:
        """The outputs by name, for inputs by name: arrays (contiguous, of the graph's types), or other sessions'
        ``outputs``.

        They lie in the session's memory, until it runs again: whoever keeps them copies.
        """
        for name, value in inputs.items():
            self._request.set_tensor(name, self._tensor_of(value))
        self._request.infer()
        return {name: self._request.get_tensor(name).data for name in self._outputs}

    def _tensor_of(self, value: Any) -> Any:
        if isinstance(value, self._tensor):
            return value
        if not value.size:
            openvino = load_openvino()
            return self._tensor(openvino.Type(value.dtype), openvino.Shape(value.shape))
        return self._tensor(_lent(value), shared_memory=True)

    def output(self, name: str) -> Any:
        """An output of the last run as another session's input, not copied; it changes when this one runs again."""
        return self._request.get_tensor(name)


def _lent(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself for a graph, which only reads: OpenVINO shares no memory that numpy calls read-only."""
    if array.flags.writeable and array.flags.c_contiguous:
        return array
    whole = np.ascontiguousarray(array)
    interface = dict(whole.__array_interface__)
    interface["data"] = (interface["data"][0], False)
    return np.asarray(SimpleNamespace(__array_interface__=interface, owner=whole))


class SizedSessions:
    """Sessions of one graph whose input ``pixels`` is one picture, uint8 (1, H, W, 3), of some size.

    Those of sizes that were announced stay until they are forgotten; of others, the last ones used do.
    """

    def __init__(self, graph: Any, options: SessionOptions | None = None) -> None:
        self._graph = graph
        self._options = options
        self._announced: dict[tuple[int, int], Session] = {}
        self._passing: dict[tuple[int, int], Session] = {}

    def announce(self, input_hw: tuple[int, int]) -> None:
        """Compile for a size that will be used again and again."""
        if input_hw not in self._announced:
            self._announced[input_hw] = self.at(input_hw)
            self._passing.pop(input_hw, None)
            return_free_memory()

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Give back what was compiled for a size that is not used any more, if anything was."""
        if self._announced.pop(input_hw, None) or self._passing.pop(input_hw, None):
            return_free_memory()

    def at(self, input_hw: tuple[int, int]) -> Session:
        """The session of a size."""
        if input_hw in self._announced:
            return self._announced[input_hw]
        session = self._passing.pop(input_hw, None)
        if session is None:
            while len(self._passing) >= _PASSING_SIZES:
                del self._passing[next(iter(self._passing))]
            session = Session(self._graph, self._options, shapes={"pixels": (1, *input_hw, 3)})
        self._passing[input_hw] = session
        return session
