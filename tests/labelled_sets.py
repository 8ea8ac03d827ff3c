"""Small data sets of every format, drawn and written by hand."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

#: Height and width of every drawn picture.
IMAGE_HW = (60, 80)


def draw(path: Path, seed: int = 0, image_hw: tuple[int, int] = IMAGE_HW) -> Path:
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, image_hw[::-1], interpolation=cv2.INTER_CUBIC))
    return path


def coco_document() -> dict[str, Any]:
    picture = {"height": 60, "width": 80}
    return {
        "info": {"year": 2026},
        "categories": [{"id": 1, "name": "hard_hat"}, {"id": 2, "name": "person"}],
        "images": [
            picture | {"id": 1, "file_name": "images/a.png", "source": "plant", "group": 7, "camera": "c1"},
            picture | {"id": 2, "file_name": "images/b.png", "wear": "with_mask", "labelled": ["person"]},
            picture | {"id": 3, "file_name": "images/c.png", "image_label": "cloth"},
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [10, 20, 30.5, 10],
                "iscrowd": 0,
                "segmentation": [[10, 20, 40.5, 20, 40.5, 30], [10, 20, 12, 22]],
                "attributes": {"colour": "red", "worn": True},
            },
            {
                "id": 2,
                "image_id": 2,
                "category_id": 2,
                "bbox": [1, 0, 2, 60],
                "iscrowd": 1,
                # the second and third column
                "segmentation": {"size": [60, 80], "counts": [60, 120, 4620]},
            },
            {"id": 3, "image_id": 1, "category_id": 2, "bbox": [0, 0, 0, 5]},
        ],
    }


def via_document() -> dict[str, Any]:
    def region(shape: dict[str, Any], **attributes: Any) -> dict[str, Any]:
        return {"shape_attributes": shape, "region_attributes": attributes}

    polygon = {"name": "polygon", "all_points_x": [1, 9.5, 9], "all_points_y": [2, 2, 8]}
    polyline = {"name": "polyline", "all_points_x": [0, 5, 5], "all_points_y": [0, 0, 5]}
    return {
        "a.png123": {
            "filename": "a.png",
            "size": 123,
            "regions": [
                region(polygon, name="hat"),
                region({"name": "rect", "x": 10, "y": 20, "width": 30, "height": 5}, name="face_mask"),
                region({"name": "circle", "cx": 40, "cy": 30, "r": 10}, name={"hat": True, "mask": False}),
                region(
                    {"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 5, "theta": np.pi / 2},
                    name="hat",
                ),
                region({"name": "point", "cx": 3, "cy": 4}, name="hat"),
                region(polyline, name="hat"),
            ],
            "file_attributes": {"source": "yard"},
        },
        "b.png7": {"filename": "b.png", "size": 7, "regions": [], "file_attributes": {}},
    }


VOC = """<annotation verified="yes">
  <folder>JPEGImages</folder><filename>a.png</filename>
  <source><database>plant</database></source>
  <size><width>80</width><height>60</height><depth>3</depth></size>
  <object><name>helmet</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
    <bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>30.5</ymax></bndbox></object>
  <object><name>head</name><difficult>1</difficult>
    <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>6</ymax></bndbox></object>
</annotation>
"""

YOLO_NAMES = "path: ../datasets/hats\ntrain: ../train/images\nval: valid/images\nnc: 2\nnames: [hat, mask]\n"
YOLO_LABELS = "0 0.5 0.5 0.25 0.5\n1 0.125 0 0.25 0 0.25 0.5\n1 0 0 0.5 0 0.5 0.5 0 0.5\n\n"


def write_coco(folder: Path, document: object = None) -> Path:
    for number, name in enumerate("abc"):
        draw(folder / "images" / f"{name}.png", number)
    return write_json(folder / "train.json", coco_document() if document is None else document)


def write_via(folder: Path, document: object = None) -> Path:
    for number, name in enumerate("ab"):
        draw(folder / f"{name}.png", number)
    return write_json(folder / "via.json", via_document() if document is None else document)


def write_voc(folder: Path, text: str = VOC) -> Path:
    draw(folder / "JPEGImages" / "a.png")
    (folder / "Annotations").mkdir(parents=True, exist_ok=True)
    file = folder / "Annotations" / "a.xml"
    file.write_text(text, encoding="utf-8")
    return file


def write_yolo(folder: Path, names: str = YOLO_NAMES, labels: str = YOLO_LABELS) -> Path:
    draw(folder / "train" / "images" / "a.png", 1)
    draw(folder / "valid" / "images" / "b.png", 2)
    (folder / "train" / "labels").mkdir(parents=True, exist_ok=True)
    (folder / "train" / "labels" / "a.txt").write_text(labels, encoding="utf-8")
    (folder / "data.yaml").write_text(names, encoding="utf-8")
    return folder / "data.yaml"


def write_json(file: Path, document: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), encoding="utf-8")
    return file
