"""Far scenes made of labelled pictures, and what is counted in them."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import pytest

from models.data.readers import read_pictures
from models.letterbox import letterbox_geometry
from models.structures import FACE_CATEGORIES, Category, Detections
from streamer.bench import tiles
from streamer.bench.far_scenes import HEAD_HEIGHTS_PX, LEAST_HEAD_PX, far_scenes
from streamer.errors import StreamerError

SCENE_HW = (480, 800)


def data_folder(folder: Path, count: int = 24) -> Path:
    """A folder like the one that is measured: dark pictures with white squares, labelled as faces."""
    rng = np.random.default_rng(5)
    (folder / "faces").mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        height, width = (int(value) for value in rng.integers(150, 400, 2))
        pixels = np.full((height, width, 3), 20, np.uint8)
        side = int(rng.integers(40, 60))
        for place in range(2):
            x, y = 10 + place * (side + 15), int(rng.integers(5, height - side - 5))
            if x + side > width:
                continue
            pixels[y : y + side, x : x + side] = 255
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                }
            )
        name = f"{number}.png"
        cv2.imwrite(str(folder / "faces" / name), pixels)
        images.append({"id": number, "file_name": name, "height": height, "width": width})
    labels = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face_without_mask"}],
    }
    (folder / "faces" / "val.json").write_text(json.dumps(labels))
    return folder


def scenes_of(folder: Path, seed: int = 0) -> list:
    pictures = read_pictures(folder / "faces" / "val.json")
    return list(far_scenes(pictures, categories={"face_without_mask"}, scene_hw=SCENE_HW, seed=seed))


def test_scenes_hold_every_picture_small_and_the_labels_lie_where_it_is_drawn(tmp_path):
    data_folder(tmp_path)
    scenes = scenes_of(tmp_path)
    labelled = sum(len(scene.boxes_xyxy) for scene in scenes)
    assert labelled == len(json.loads((tmp_path / "faces" / "val.json").read_text())["annotations"])
    assert len(scenes) > 1
    low, high = HEAD_HEIGHTS_PX
    for scene in scenes:
        assert scene.picture.image_hw == SCENE_HW
        heights = scene.boxes_xyxy[:, 3] - scene.boxes_xyxy[:, 1]
        assert heights.min() >= low - 0.5
        assert heights.max() <= high + 0.5
        np.testing.assert_array_equal(scene.ignored, heights < LEAST_HEAD_PX)
        for x1, y1, x2, y2 in scene.boxes_xyxy:
            inside = scene.picture.rgb()[round(y1) + 1 : round(y2) - 1, round(x1) + 1 : round(x2) - 1]
            assert inside.min() > 200


def test_a_seed_gives_the_same_scenes_and_another_one_others(tmp_path):
    data_folder(tmp_path)
    first, again, other = scenes_of(tmp_path), scenes_of(tmp_path), scenes_of(tmp_path, seed=1)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.picture.rgb(), two.picture.rgb())
        np.testing.assert_array_equal(one.boxes_xyxy, two.boxes_xyxy)
    assert (first[0].picture.rgb() != other[0].picture.rgb()).any()


class SquareDetector:
    """Finds white squares of 12 pixels and more at the network's input."""

    digests: Mapping[str, str] = MappingProxyType({})

    def warm_up(self, input_hw, batch_sizes):
        pass

    def detect(self, pictures, input_hw):
        return [self._found(picture, input_hw) for picture in pictures]

    @staticmethod
    def _found(picture, input_hw) -> Detections:
        placed = letterbox_geometry(picture.image_hw, input_hw)
        white = (picture.rgb(placed.content_hw).min(axis=2) > 150).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=4)
        rows = [row[:4] for row in stats[1:] if min(row[2], row[3]) >= 11]
        boxes = (
            np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4) / placed.scale
        )
        return Detections(
            picture.image_hw,
            boxes,
            np.full(len(boxes), 0.9, np.float32),
            np.full(len(boxes), int(Category.FACE_WITHOUT_MASK), np.int32),
            placed.scale,
        )


def test_more_pixels_find_smaller_heads_and_closer_looks_find_all(tmp_path, monkeypatch):
    monkeypatch.setattr(tiles, "load_detector", lambda **_: SquareDetector())
    figures = tiles.measure_tiles(data_folder(tmp_path), scene_hw=(1080, 1920), models=["retinaface"])
    recall = {
        name.removeprefix("retinaface, "): row["recall"]
        for name, row in figures.items()
        if isinstance(row, dict)
    }
    assert len(recall) == 10
    assert recall["input 640"] < recall["input 1280"] < recall["input 1920 (full)"]
    assert recall["input 640"] < recall["input 640, 2x2 tiles"] < recall["input 960, 2x2 tiles"]
    assert recall["input 640, known heads, all"] == 1
    found_small = "retinaface, input 640, known heads, found small"
    assert figures[found_small]["recall"] == pytest.approx(recall["input 640"], abs=0.2)
    for name, row in figures.items():
        if isinstance(row, dict):
            assert row["false"] == 0, name
            assert row["pictures"] >= (5 if "2x2" in name else 1)
    assert FACE_CATEGORIES[0] in tiles._SETS["retinaface"][2]


def test_a_folder_without_labels_is_said(tmp_path):
    with pytest.raises(StreamerError, match=r"faces/val\.json: no such file"):
        tiles.measure_tiles(tmp_path, models=["retinaface"])
