"""What the detector needs of a Mask R-CNN, whatever runs it.

Shapes: B pictures; H, W height and width of the input; N instances of one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Instances:
    """What was found in one picture, best first: ``boxes_xyxy`` float32 (N, 4) in input pixels, none empty, ``scores``
    (N,) from the threshold on, ``classes`` (N,) of the network, 0 being background, ``seg_masks`` float32
    (N, 28, 28) relative to the boxes, 0 to 1."""

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.integer[Any]]
    seg_masks: NDArray[np.float32]


class InstanceFinder(Protocol):
    """A Mask R-CNN in some runtime. Not for several threads at once."""

    def find(self, pixels: NDArray[np.uint8]) -> Sequence[Instances]:
        """What is in each picture of uint8 (B, H, W, 3), RGB, sides multiples of 32.

        Raises ``InferenceError`` when the network answers with numbers that are not finite.
        """
        ...

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Prepare for batches of these sizes."""
        ...

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Give back what was prepared for a size."""
        ...
