"""What the models saw in one picture."""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.structures.categories import Category
from models.structures.checks import read_only_array

#: Column order of ``Detections.face_mask_probs``.
FACE_MASK_CLASSES: Final = (
    Category.FACE_WITH_MASK,
    Category.FACE_WITHOUT_MASK,
    Category.FACE_MASK_INCORRECT,
)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N things seen in one picture; row i of every array speaks of the same thing.

    - ``image_hw``: height and width of the original picture in pixels.
    - ``boxes_xyxy``: float32 (N, 4), original pixels, half-open, not clipped to the picture; x1 <= x2, y1 <= y2.
    - ``scores``: float32 (N,), 0 to 1, the detector's confidence that the thing is there.
    - ``class_ids``: int32 (N,), values of ``Category``.
    - ``input_scale``: network input pixels per original pixel; a height times this is the height the network saw.
    - ``row_scales``: float32 (N,), the same of each row, where parts of the picture were looked at in other sizes; or
      None: ``input_scale`` holds for all. ``input_scales`` reads both alike.
    - ``seg_masks``: float32 (N, 28, 28), 0 to 1, relative to the box; or None.
    - ``landmarks_xy``: float32 (N, 5, 2), original pixels: the person's right eye, left eye (so as seen: left one
      first), nose, right and left mouth corner; rows of things that are no faces are zero; or None.
    - ``face_mask_probs``: float32 (N, 3), calibrated probabilities in the order of ``FACE_MASK_CLASSES``; rows that
      were not judged are zero; or None.
    - ``sharpness``: float32 (N,), 0 (too blurred to tell, or nothing of a face to be seen) to 1 (sharp); or None when
      it was not measured.

    Raises ``ValueError`` on shapes that disagree, unknown classes or values out of range.
    """

    image_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    input_scale: float = 1.0
    seg_masks: NDArray[np.float32] | None = None
    landmarks_xy: NDArray[np.float32] | None = None
    face_mask_probs: NDArray[np.float32] | None = None
    sharpness: NDArray[np.float32] | None = None
    row_scales: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count = len(self.boxes_xyxy)
        fields: dict[str, tuple[type[np.generic], tuple[int | None, ...]]] = {
            "boxes_xyxy": (np.float32, (count, 4)),
            "scores": (np.float32, (count,)),
            "class_ids": (np.int32, (count,)),
            "seg_masks": (np.float32, (count, 28, 28)),
            "landmarks_xy": (np.float32, (count, 5, 2)),
            "face_mask_probs": (np.float32, (count, 3)),
            "sharpness": (np.float32, (count,)),
            "row_scales": (np.float32, (count,)),
        }
        for name, (dtype, shape) in fields.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read_only_array(value, name=name, dtype=dtype, shape=shape))
        self._check_ranges()

    def _check_ranges(self) -> None:
        if min(self.image_hw) <= 0 or self.input_scale <= 0:
            raise ValueError("image_hw and input_scale must be above 0")
        if self.row_scales is not None and (self.row_scales <= 0).any():
            raise ValueError("row_scales must be above 0")
        if (self.boxes_xyxy[:, :2] > self.boxes_xyxy[:, 2:]).any():
            raise ValueError("boxes_xyxy: a box ends before it begins")
        if not np.isin(self.class_ids, [int(category) for category in Category]).all():
            raise ValueError("class_ids: holds a value that is no Category")
        for name in ("scores", "seg_masks", "face_mask_probs", "sharpness"):
            values = getattr(self, name)
            if values is not None and values.size and not (values.min() >= 0 and values.max() <= 1 + 1e-5):
                raise ValueError(f"{name}: holds values outside 0 to 1")

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    @property
    def input_scales(self) -> NDArray[np.float32]:
        """Network input pixels per original pixel of each row, float32 (N,)."""
        if self.row_scales is not None:
            return self.row_scales
        return np.full(len(self), self.input_scale, np.float32)

    @classmethod
    def empty(cls, image_hw: tuple[int, int], input_scale: float = 1.0) -> Self:
        """Nothing seen in a picture of this height and width."""
        return cls(
            image_hw=image_hw,
            boxes_xyxy=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            class_ids=np.zeros(0, np.int32),
            input_scale=input_scale,
        )

    def select(self, index: NDArray[Any]) -> Self:
        """The rows that ``index`` (booleans (N,) or integers) chooses, in its order."""
        chosen: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[index]
            for name in (
                "boxes_xyxy",
                "scores",
                "class_ids",
                "seg_masks",
                "landmarks_xy",
                "face_mask_probs",
                "sharpness",
                "row_scales",
            )
        }
        return replace(self, **chosen)
