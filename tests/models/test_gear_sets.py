"""Bare faces are found in labels, dressed, and written with the pixels of what they wear."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_heads import landmarks, picture
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.data.polygon_pixels import polygon_pixels
from models.data.readers import read_coco
from models.data.synthetic_gear.contact_sheet import (
    contact_sheet,
    face_mask_drawings,
    main,
    occlusion_drawings,
)
from models.data.synthetic_gear.dressing import GearShares, dress
from models.data.synthetic_gear.faced_pictures import FacedPicture, labelled_landmarks, with_faces
from models.data.synthetic_gear.gear_set import LEAST_PIXELS, write_gear_set
from models.errors import DataSetError

FACES = (landmarks((50, 60), 0.35), landmarks((130, 60), 0.3, yaw=15))


def keypoints(points: NDArray[np.float64], seen: int = 2) -> list[float]:
    return np.column_stack([points, np.full(5, seen)]).ravel().tolist()


def write_faces(folder: Path) -> Path:
    """A picture of two faces (the second's own left eye first), a third that wears a hat, a head, and a hidden one."""
    folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / "a.png"), picture(140, 300)[..., ::-1])
    assert cv2.imwrite(str(folder / "b.png"), picture(140, 120)[..., ::-1])
    hatted = landmarks((210, 60), 0.3)
    rows = [
        {"category_id": 1, "keypoints": keypoints(FACES[0])},
        {"category_id": 1, "keypoints": keypoints(FACES[1][[1, 0, 2, 4, 3]])},
        {"category_id": 1, "keypoints": keypoints(hatted)},
        {"category_id": 1, "keypoints": keypoints(FACES[0] + 1, seen=0)},
        {"category_id": 2, "bbox": [180, 20, 60, 40]},
        {"category_id": 3, "bbox": [250, 40, 40, 60]},
        {"category_id": 3, "bbox": [25, 20, 50, 80]},
    ]
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 300, "height": 140},
            {"id": 2, "file_name": "b.png", "width": 120, "height": 140},
        ],
        "categories": [{"id": 1, "name": "face"}, {"id": 2, "name": "hat"}, {"id": 3, "name": "head"}],
        "annotations": [
            {"id": n, "image_id": 1, "bbox": [0, 0, 1, 1]} | row for n, row in enumerate(rows, 1)
        ],
    }
    file = folder / "faces.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def test_bare_faces_and_heads_from_behind_are_told_from_labels(tmp_path: Path) -> None:
    file = write_faces(tmp_path)
    faced = with_faces(read_coco(file), labelled_landmarks(file), head_categories=("head",))
    assert [len(row.landmarks_xy) for row in faced] == [2, 0]
    np.testing.assert_allclose(faced[0].landmarks_xy, FACES, atol=1e-6)
    assert faced[0].heads_xyxy == ((250.0, 40.0, 290.0, 100.0),)
    found = with_faces(read_coco(file), {}, find=lambda _: np.array([FACES[1]]))
    assert [len(row.landmarks_xy) for row in found] == [1, 1]


def test_everybody_gets_all_that_is_asked_for_and_nothing_else() -> None:
    rgb = picture(140, 300)
    wearers = (np.array(FACES), ((250.0, 40.0, 290.0, 100.0),))
    shares = GearShares(face_mask=1, hard_hat=1, hat=0, wrong=0)
    dressed, things = dress(rgb, *wearers, shares, np.random.default_rng(0))
    assert sorted(thing.category for thing in things) == ["face_mask"] * 2 + ["hard_hat"] * 3
    assert {thing.attributes["wear"] for thing in things if thing.category == "face_mask"} == {"worn"}
    # nothing is two things, and what is one has changed
    together = np.sum([thing.seg_mask for thing in things], axis=0)
    assert together.max() == 1
    assert (dressed != rgb).any(axis=-1)[together > 0].mean() > 0.98
    assert all(thing.seg_mask.sum() >= LEAST_PIXELS for thing in things)
    nothing = GearShares(face_mask=0, hard_hat=0, hat=0)
    bare, things = dress(rgb, *wearers, nothing, np.random.default_rng(0))
    assert not things
    assert np.array_equal(bare, rgb)


def test_wrong_wear_is_as_frequent_as_told_and_called_so() -> None:
    face = np.array([landmarks((50, 60), 0.2)])
    wears = []
    for seed in range(40):
        shares = GearShares(face_mask=1, hard_hat=0, hat=0, wrong=1 if seed % 2 else 0)
        _, things = dress(picture(110, 100), face, (), shares, np.random.default_rng(seed))
        wears += [thing.attributes["wear"] for thing in things]
    assert wears.count("worn") == 20
    assert {"under_nose", "at_chin", "one_ear"} <= set(wears)


def test_a_set_is_written_as_it_is_read_again(tmp_path: Path) -> None:
    file = write_faces(tmp_path / "bare")
    faced = with_faces(read_coco(file), labelled_landmarks(file), head_categories=("head",))
    shares = GearShares(face_mask=1, hard_hat=0.5, hat=0.5, occlusion=1, wrong=0.5)
    written = write_gear_set(faced, tmp_path / "dressed", shares, seed=3)
    read = read_coco(tmp_path / "dressed" / "annotations.json")
    assert [row.path for row in read] == [row.path for row in written]
    names = [thing.category for thing in read[0].objects]
    assert names.count("face_mask") == 2
    assert names.count("occlusion") == 2
    assert names.count("hat") + names.count("hard_hat") == 4  # the one that is really worn, and three drawn
    assert read[0].labelled == {"face_mask", "occlusion", "hat"}
    # the polygons are the pixels that changed
    change = np.abs(
        cv2.imread(str(read[0].path)).astype(int) - cv2.imread(str(tmp_path / "bare" / "a.png"))
    ).max(-1)
    drawn = [
        thing for thing in read[0].objects if "template" in thing.attributes or "shape" in thing.attributes
    ]
    labelled = np.any([polygon_pixels(thing.polygons, (0, 0, 300, 140)) for thing in drawn], axis=0)
    assert (change > 2)[labelled].mean() > 0.95
    assert not read[1].objects
    again = write_gear_set(faced, tmp_path / "again", shares, seed=3)
    assert (again[0].path.read_bytes(), again[0].objects[0].box_xyxy) == (
        written[0].path.read_bytes(),
        written[0].objects[0].box_xyxy,
    )
    with pytest.raises(DataSetError, match="exists already"):
        write_gear_set(faced, tmp_path / "again", shares, seed=3)


@pytest.mark.parametrize(("wrong", "state"), [(0, "face_with_mask"), (1, "face_mask_incorrect")])
def test_faces_are_labelled_by_how_they_wear_the_mask(tmp_path: Path, wrong: float, state: str) -> None:
    file = write_faces(tmp_path / "bare")
    faced = with_faces(read_coco(file), labelled_landmarks(file), head_categories=("head",))
    everybody = GearShares(face_mask=1, hard_hat=1, hat=0, wrong=wrong)
    write_gear_set(faced, tmp_path / "masked", everybody, seed=3, label_faces=True)
    first, second = read_coco(tmp_path / "masked" / "annotations.json")
    # neither hats, nor the face that wears one in the source, of whose mask nothing is known
    assert [thing.category for thing in first.objects] == [state] * 2
    assert not second.objects
    for thing, points in zip(first.objects, FACES, strict=True):
        x1, y1, x2, y2 = thing.box_xyxy
        assert ((points > (x1, y1)) & (points < (x2, y2))).all()
        assert (thing.attributes["wear"] == "worn") is (wrong == 0)
        assert not thing.ignored
    nobody = GearShares(face_mask=0, hard_hat=0, hat=0)
    write_gear_set(faced, tmp_path / "unmasked", nobody, seed=3, label_faces=True)
    first, _ = read_coco(tmp_path / "unmasked" / "annotations.json")
    assert [thing.category for thing in first.objects] == ["face_without_mask"] * 2


def test_of_a_face_whose_mask_is_hidden_nothing_is_said(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), picture(140, 120)[..., ::-1])
    near, far = landmarks((60, 60), 0.4), landmarks((60, 78), 0.1)
    faced = FacedPicture(AnnotatedPicture(tmp_path / "a.png", (140, 120), ()), np.array([far, near]))
    shares = GearShares(face_mask=1, hard_hat=0, hat=0, wrong=0)
    (written,) = write_gear_set([faced], tmp_path / "new", shares, seed=1, label_faces=True)
    assert [thing.ignored for thing in written.objects] == [True, False]


def test_shares_are_bounded() -> None:
    for shares in ({"face_mask": 1.1}, {"wrong": -0.1}, {"hard_hat": 0.6, "hat": 0.6}):
        with pytest.raises(ValueError, match="shares"):
            GearShares(**shares)


def test_a_face_too_small_to_draw_on_stays_bare() -> None:
    rgb = picture(40, 40)
    face = landmarks((20, 15), 0.05)[None]
    shares = GearShares(face_mask=1, hard_hat=1, hat=0)
    dressed, things = dress(rgb, face, ((1.0, 1.0, 9.0, 9.0),), shares, np.random.default_rng(0))
    assert not things
    assert np.array_equal(dressed, rgb)


def test_sheets_show_every_drawing(tmp_path: Path) -> None:
    faces = [(picture(140, 300), FACES[0]), (picture(140, 300), FACES[1])]
    rows = [face_mask_drawings()[0], occlusion_drawings(each=2)[0]]
    sheet = contact_sheet(faces, rows, face_px=24)
    assert sheet.shape == (300, 600, 3)
    tiles = sheet.reshape(2, 150, 4, 150, 3).swapaxes(1, 2)
    assert all(len(np.unique(tiles[0, n].reshape(-1, 3), axis=0)) > 10 for n in range(4))
    assert not tiles[1, 2:].any()
    assert main([str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 1
