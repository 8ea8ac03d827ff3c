"""Shows canvases with what is known of them, for eyes."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.mask_rcnn.canvas import Canvas

_COLOURS_RGB: Final = ((255, 220, 0), (255, 60, 60), (60, 230, 60), (0, 210, 255), (255, 120, 255))
_IGNORED_RGB: Final = (150, 150, 150)


def draw(canvases: Sequence[Canvas], categories: Sequence[str], *, columns: int = 4) -> NDArray[np.uint8]:
    """Canvases side by side as RGB: boxes with the names they admit, their pixels tinted, ignored regions
    crossed out, and in the corner the categories that are labelled exhaustively.
    """
    cells = [_cell(canvas, categories) for canvas in canvases]
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.concatenate(cells[start : start + columns], axis=1) for start in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _cell(canvas: Canvas, categories: Sequence[str]) -> NDArray[np.uint8]:
    image = canvas.pixels.copy()
    for box in np.rint(canvas.ignored_xyxy).astype(int).tolist():
        x1, y1, x2, y2 = box
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _IGNORED_RGB, 1)
        cv2.line(image, (x1, y1), (x2, y2), _IGNORED_RGB, 1)
    for index, box in enumerate(np.rint(canvas.boxes_xyxy).astype(int).tolist()):
        x1, y1, x2, y2 = box
        names = [name for name, may_be in zip(categories, canvas.admissible[index], strict=True) if may_be]
        colour = _COLOURS_RGB[int(np.flatnonzero(canvas.admissible[index])[0]) % len(_COLOURS_RGB)]
        if canvas.has_seg_mask[index] and x2 > x1 and y2 > y1:
            inside = cv2.resize(canvas.seg_masks[index], (x2 - x1, y2 - y1)) > 0
            part = image[y1:y2, x1:x2]
            part[inside] = (part[inside] * 0.5 + np.array(colour) * 0.5).astype(np.uint8)
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), colour, 1)
        _write(image, "|".join(names), (x1, y1 - 2), colour)
    known = [name for name, is_known in zip(categories, canvas.labelled, strict=True) if is_known]
    _write(image, "all: " + ", ".join(known), (3, image.shape[0] - 5), (255, 255, 255))
    return image


def _write(image: NDArray[np.uint8], text: str, at_xy: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for shade, width in (((0, 0, 0), 2), (colour, 1)):
        cv2.putText(image, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.36, shade, width, cv2.LINE_AA)
