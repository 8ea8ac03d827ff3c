"""What ``ppewatch detect`` writes: rows, and copies that never cost an original."""

import json

import av
import numpy as np
import pytest
from made_material import save

from models.pictures import ArrayPicture
from models.structures import Category, Detections
from streamer.detect.annotate import annotated, splash
from streamer.detect.material import Look, Material, MaterialError
from streamer.detect.outputs import CopyWriter, copy_path
from streamer.detect.rows import JsonArray, coco_rows, row_text


def detections(*categories: Category, image_hw: tuple[int, int] = (80, 100)) -> Detections:
    """One thing of each category, side by side, of falling score."""
    count = len(categories)
    boxes = [(5 + 20 * n, 10, 20 + 20 * n, 30) for n in range(count)]
    probs = np.zeros((count, 3), np.float32)
    probs[:, 0] = 0.9
    return Detections(
        image_hw=image_hw,
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.linspace(0.9, 0.6, count, dtype=np.float32),
        class_ids=np.array(categories, np.int32),
        landmarks_xy=np.full((count, 5, 2), 12, np.float32),
        face_mask_probs=probs,
    )


def test_the_score_of_a_face_is_that_of_its_category():
    seen = detections(Category.FACE_WITH_MASK, Category.HARD_HAT)
    face, hat = coco_rows("a.jpg", None, seen, min_score=0)
    # best first: 0.6 for the hat alone, 0.9 x 0.9 for the face and how it wears the mask
    assert (face["category"], face["score"], face["bbox"]) == ("face_with_mask", 0.81, [5, 10, 15, 20])
    assert (hat["category"], hat["score"]) == ("hard_hat", 0.6)
    assert "landmarks" in face
    assert "landmarks" not in hat
    assert [row["category"] for row in coco_rows("a", 3, seen, min_score=0.7)] == ["face_with_mask"]
    assert row_text(next(coco_rows("a.mp4", 3, seen, min_score=0))).startswith("a.mp4#3  face_with_mask")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_array_is_written_row_by_row(tmp_path, count):
    path = tmp_path / "rows.json"
    with path.open("w", encoding="utf-8") as stream:
        array = JsonArray(stream)
        for number in range(count):
            array.write({"file_name": f"ä{number}"})
        array.end()
    assert json.loads(path.read_text()) == [{"file_name": f"ä{number}"} for number in range(count)]


def test_splash_keeps_the_gear_in_colour_and_nothing_else():
    rgb = np.zeros((80, 100, 3), np.uint8)
    rgb[..., 0] = 200
    picture = splash(rgb, detections(Category.HARD_HAT, Category.BARE_HEAD), min_score=0.5)
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    assert coloured[10:30, 5:20].all()
    assert coloured.sum() == 20 * 15
    assert not (annotated(rgb, detections(), min_score=0.5) != rgb).any()


def test_the_original_is_never_overwritten(tmp_path):
    path = save(tmp_path / "one.jpg", np.zeros((40, 60, 3), np.uint8))
    material = Material("one.jpg", path)
    before = path.read_bytes()
    with pytest.raises(MaterialError, match="overwrite the original"):
        CopyWriter(copy_path(tmp_path, material), material, splash=False, min_score=0.5)
    assert path.read_bytes() == before


def test_a_copy_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    for name in ("one.jpg", "clip.mp4"):
        material = Material(name, tmp_path / name)
        look = Look(
            name,
            *((None, None) if material.is_picture else (0, 0.0)),
            ArrayPicture(np.zeros((40, 60, 3), np.uint8)),
        )
        with (
            pytest.raises(MaterialError, match="taken"),
            CopyWriter(
                copy_path(tmp_path / "taken", material), material, splash=False, min_score=0.5
            ) as copies,
        ):
            copies.write(look, Detections.empty((40, 60)))


@pytest.mark.parametrize("size_hw", [(41, 61), (2, 2)])
def test_a_clip_that_breaks_off_or_changes_size_leaves_a_copy_that_plays(tmp_path, size_hw):
    material = Material("clip.ts", tmp_path / "clip.ts")
    path = copy_path(tmp_path / "out", material)

    def write() -> None:
        with CopyWriter(path, material, splash=False, min_score=0.5) as copies:
            # the clock of a recording may stand still or go back
            for number, (hw, at_s) in enumerate(
                [(size_hw, 0.0), (size_hw, 0.0), ((90, 120), 0.4), (size_hw, 0.3)]
            ):
                copies.write(
                    Look("clip.ts", number, at_s, ArrayPicture(np.full((*hw, 3), 100, np.uint8))),
                    Detections.empty(hw),
                )
            raise MaterialError("the recording breaks off")

    with pytest.raises(MaterialError, match="breaks off"):
        write()
    assert [item.name for item in path.parent.iterdir()] == ["clip.ts.mp4"]
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 4
