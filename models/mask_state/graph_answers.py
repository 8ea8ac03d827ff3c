"""The mask-state network as an exported graph, compiled for some faces at once and for one.

Measured on two cores, MobileNetV1 x0.25, processor time a face: by fours 0.3 ms, one by one 0.4 ms, compiled for any
number 0.3 to 1.2 ms, and ten times that whenever a number comes up for the first time.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.runtime.export_files import Export
from models.runtime.session import Session, SessionOptions

#: The only graph of an export, and its output.
GRAPH: Final = "mask_state"
OUTPUT: Final = "answers"

_AT_ONCE: Final = 4


class GraphAnswers:
    """What the network of an export answers to crops uint8 (N, S, S, 3), N at least 1: float32 (N, any).

    Not for several threads at once.
    """

    def __init__(self, export: Export, options: SessionOptions | None = None) -> None:
        graph = export.graphs[GRAPH]
        crop_shape = [side.get_length() for side in list(graph.input("crops").get_partial_shape())[1:]]
        self._some, self._one = (
            Session(graph, options, shapes={"crops": (count, *crop_shape)}) for count in (_AT_ONCE, 1)
        )

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The answers, by fours and one by one."""
        together = len(crops) // _AT_ONCE * _AT_ONCE
        answers = [
            self._some.run(crops=crops[start : start + _AT_ONCE])[OUTPUT].copy()
            for start in range(0, together, _AT_ONCE)
        ]
        answers += [
            self._one.run(crops=crops[row : row + 1])[OUTPUT].copy() for row in range(together, len(crops))
        ]
        return np.concatenate(answers)
