"""What several models saw in one picture, as one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.structures.detections import Detections

#: Fields that a model may lack, with the value of rows that were not measured.
_OPTIONAL: Final = {"seg_masks": 0.0, "landmarks_xy": 0.0, "face_mask_probs": 0.0, "sharpness": 1.0}


def joined(parts: Sequence[Detections]) -> Detections:
    """All rows of ``parts`` (at least one), in their order. The parts may lack different fields.

    Rows of a part without a field that another has are zero there, as are rows to which it does not apply; of
    ``sharpness`` they are 1: what was not measured counts as sharp. Parts that were looked at in different sizes keep
    theirs in ``row_scales``; ``input_scale`` is the first part's. Raises ``ValueError`` when the parts are not of one
    picture, or there is none.
    """
    if not parts:
        raise ValueError("nothing to join")
    first = parts[0]
    if any(part.image_hw != first.image_hw for part in parts):
        raise ValueError("detections of different pictures cannot be joined")
    filled = [part for part in parts if len(part)]
    scaled = [part for part in filled if part.row_scales is not None or part.input_scale != first.input_scale]
    if len(filled) <= 1:
        (only,) = filled or [first]
        return replace(only, input_scale=first.input_scale, row_scales=only.input_scales) if scaled else only
    return Detections(
        image_hw=first.image_hw,
        boxes_xyxy=np.concatenate([part.boxes_xyxy for part in filled]),
        scores=np.concatenate([part.scores for part in filled]),
        class_ids=np.concatenate([part.class_ids for part in filled]),
        input_scale=first.input_scale,
        row_scales=np.concatenate([part.input_scales for part in filled]) if scaled else None,
        **{name: _field(filled, name, missing) for name, missing in _OPTIONAL.items()},
    )


def _field(parts: Sequence[Detections], name: str, missing: float) -> NDArray[Any] | None:
    values = [getattr(part, name) for part in parts]
    shape = next((value.shape[1:] for value in values if value is not None), None)
    if shape is None:
        return None
    return np.concatenate(
        [
            np.full((len(part), *shape), missing, np.float32) if value is None else value
            for part, value in zip(parts, values, strict=True)
        ]
    )
