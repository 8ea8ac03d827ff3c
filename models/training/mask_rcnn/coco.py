"""Reads the COCO files of the training sets."""

import json
from pathlib import Path

import numpy as np

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.errors import DataSetError


def read_pictures(coco_file: Path) -> list[AnnotatedPicture]:
    """Its pictures with their objects in the file's order. Raises ``DataSetError``."""
    try:
        content = json.loads(coco_file.read_text(encoding="utf-8"))
        names = {row["id"]: str(row["name"]) for row in content["categories"]}
        objects: dict[int, list[AnnotatedObject]] = {row["id"]: [] for row in content["images"]}
        for row in content["annotations"]:
            x, y, width, height = row["bbox"]
            polygons = tuple(
                np.asarray(flat, np.float32).reshape(-1, 2)
                for flat in row.get("segmentation") or []
                if len(flat) >= 6
            )
            if width > 0 and height > 0:
                objects[row["image_id"]].append(
                    AnnotatedObject(
                        names[row["category_id"]],
                        (x, y, x + width, y + height),
                        polygons,
                        ignored=bool(row.get("iscrowd")),
                    )
                )
        return [
            AnnotatedPicture(
                path=coco_file.parent / row["file_name"],
                image_hw=(row["height"], row["width"]),
                objects=tuple(objects[row["id"]]),
                source=str(row.get("source", "")),
                group=str(row.get("group", "")),
                camera=str(row.get("camera", "")),
            )
            for row in content["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataSetError(f"{coco_file}: cannot be read: {error}") from error
