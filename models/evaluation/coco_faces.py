"""Read COCO files of faces for training and measuring."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import DataSetError


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPicture:
    """One picture of a set.

    - ``path``: the image file. ``source``: which collection it comes from.
    - ``group``: near duplicates share one; the file's name where the set knows none.
    - ``boxes_xyxy``: float32 (M, 4), pixels; every side above 0.
    - ``categories``: (M,) names of what the boxes hold.
    """

    path: Path
    source: str
    group: str
    image_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    categories: tuple[str, ...]


def read_coco(file: Path) -> list[LabelledPicture]:
    """The pictures of a COCO file, image paths relative to its folder. Boxes without area are left out.

    Raises ``DataSetError`` when the file is missing or not of that layout.
    """
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        names = {category["id"]: str(category["name"]) for category in content["categories"]}
        boxes: dict[int, list[tuple[float, float, float, float]]] = {}
        categories: dict[int, list[str]] = {}
        for annotation in content["annotations"]:
            x, y, width, height = annotation["bbox"]
            if width > 0 and height > 0:
                boxes.setdefault(annotation["image_id"], []).append((x, y, x + width, y + height))
                categories.setdefault(annotation["image_id"], []).append(names[annotation["category_id"]])
        return [
            LabelledPicture(
                path=file.parent / image["file_name"],
                source=image.get("source", ""),
                group=str(image.get("group", image["file_name"])),
                image_hw=(int(image["height"]), int(image["width"])),
                boxes_xyxy=np.array(boxes.get(image["id"], []), np.float32).reshape(-1, 4),
                categories=tuple(categories.get(image["id"], [])),
            )
            for image in content["images"]
        ]
    except OSError as error:
        raise DataSetError(f"{file}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataSetError(f"{file}: is no COCO file of boxes: {error!r}") from error
