"""What RetinaFace found in one picture."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.structures.checks import read_only_array


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """N faces, best first; row i of every array speaks of the same one.

    - ``boxes_xyxy``: float32 (N, 4), pixels, half-open, not clipped to the picture.
    - ``scores``: float32 (N,), 0 to 1.
    - ``landmarks_xy``: float32 (N, 5, 2), pixels: right eye (the left one as seen), left eye, nose, right
      and left corner of the mouth. Behind a face mask or out of sight they are the network's guess.

    Raises ``ValueError`` on shapes that disagree or values that are not finite.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.boxes_xyxy)
        for name, shape in (
            ("boxes_xyxy", (count, 4)),
            ("scores", (count,)),
            ("landmarks_xy", (count, 5, 2)),
        ):
            value = read_only_array(getattr(self, name), name=name, dtype=np.float32, shape=shape)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def select(self, index: NDArray[Any]) -> Self:
        """The rows that ``index`` (booleans (N,) or integers) chooses, in its order."""
        return type(self)(self.boxes_xyxy[index], self.scores[index], self.landmarks_xy[index])
