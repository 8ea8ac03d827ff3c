"""Folders and labels files to faces to learn from; what is held out of them; one command from pictures to weights."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject
from models.data.synthetic_gear.face_mask_templates import FaceMaskKind
from models.errors import DataSetError, TrainingError
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry, whole_picture_box
from models.mask_state.network import KINDS
from models.training.commands.mask_state import main
from models.training.mask_state_labels import (
    INCORRECT,
    UNKNOWN_KIND,
    WITH_MASK,
    WITHOUT_MASK,
    meaning_of,
    meaning_of_object,
)
from models.training.mask_state_prepare import prepared_crops
from models.training.mask_state_recipe import read_mask_state_recipe
from models.training.mask_state_sets import FaceSet, load_face_set
from models.training.mask_state_split import face_crops_parts, held_out

GEOMETRY = CropGeometry(size_px=32)
COLOURS = {
    "no mask": (210, 160, 130),
    "surgical": (60, 120, 200),
    "n95": (235, 235, 235),
    "cloth": (110, 30, 40),
}


def face_picture(
    rng: np.random.Generator, lower_rgb: tuple[int, int, int], side: int = 48
) -> NDArray[np.uint8]:
    """A made-up face, the lower half of which has its own colour, in front of blocks that differ each time."""
    background = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
    rgb = cv2.resize(background, (side, side), interpolation=cv2.INTER_NEAREST)
    centre, axes = (side // 2, side // 2), (side // 4, side * 5 // 16)
    cv2.ellipse(rgb, centre, axes, 0, 0, 360, (210, 160, 130), -1)
    cv2.ellipse(rgb, centre, axes, 0, 0, 180, lower_rgb, -1)
    return rgb


def write_folders(root: Path, *, per_class: int, seed: int = 1) -> None:
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            cv2.imwrite(str(root / name / f"{number}.png"), face_picture(rng, colour)[..., ::-1])


def write_labels(root: Path, *, pictures: int) -> None:
    """Wide pictures of two faces each, one of them worn wrongly."""
    rng = np.random.default_rng(7)
    images, boxes = [], []
    (root / "images").mkdir(parents=True)
    for number in range(pictures):
        rgb = np.concatenate(
            [face_picture(rng, COLOURS["no mask"]), face_picture(rng, (90, 200, 90))], axis=1
        )
        cv2.imwrite(str(root / "images" / f"{number}.png"), rgb[..., ::-1])
        images.append({"id": number, "file_name": f"images/{number}.png", "width": 96, "height": 48})
        for place, category in enumerate((1, 2)):
            boxes.append({"image_id": number, "category_id": category, "bbox": [12 + 48 * place, 9, 24, 30]})
    content = {
        "images": images,
        "annotations": [{"id": number} | box for number, box in enumerate(boxes)],
        "categories": [{"id": 1, "name": "face_without_mask"}, {"id": 2, "name": "wrong"}],
    }
    (root / "train.json").write_text(json.dumps(content))


def test_words_are_understood_or_refused() -> None:
    assert {KINDS.index(kind) for kind in FaceMaskKind} == {0, 1, 2}
    assert meaning_of("With Mask", {}, origin="x") == (WITH_MASK, UNKNOWN_KIND)
    assert meaning_of("N95", {}, origin="x") == (WITH_MASK, KINDS.index("respirator"))
    assert meaning_of("chin", {"chin": "incorrect"}, origin="x") == (INCORRECT, UNKNOWN_KIND)
    assert meaning_of("dogs", {"dogs": None}, origin="x") is None
    with pytest.raises(DataSetError, match=r"faces: 'dogs' is no state or kind .* null to leave it out"):
        meaning_of("dogs", {}, origin="faces")


@pytest.mark.parametrize(
    ("category", "kind", "expected"),
    [
        ("face_with_mask", "cloth", (WITH_MASK, KINDS.index("cloth"))),
        ("face_mask_incorrect", "respirator", (INCORRECT, KINDS.index("respirator"))),
        ("surgical", "cloth", (WITH_MASK, KINDS.index("surgical"))),
        ("face_with_mask", "paper", (WITH_MASK, UNKNOWN_KIND)),
        ("face_without_mask", "cloth", (WITHOUT_MASK, UNKNOWN_KIND)),
        ("dogs", "cloth", None),
    ],
)
def test_an_attribute_tells_the_kind_where_the_word_does_not(category, kind, expected) -> None:
    thing = AnnotatedObject(category, (0, 0, 9, 9), attributes={"kind": kind})
    assert meaning_of_object(thing, {"dogs": None}, origin="x") == expected


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab")), min_size=1, max_size=60),
    st.floats(0.05, 0.5),
    st.integers(0, 9),
)
def test_groups_are_held_out_whole_and_about_as_many_as_asked(
    rows: list[tuple[int, str]], share: float, seed: int
) -> None:
    groups = np.array([group for group, _ in rows])
    first = dict(reversed(rows))
    labels = [first[group] for group in groups.tolist()]
    names = [f"{number:03}" for number in range(len(rows))]
    chosen = held_out(names, labels, groups, share=share, seed=seed)
    assert (chosen == held_out(names, labels, groups, share=share, seed=seed)).all()
    for group in np.unique(groups):
        assert len(set(chosen[groups == group].tolist())) == 1
    for label in set(labels):
        of_label = np.array([other == label for other in labels])
        sizes = np.unique(groups[of_label], return_counts=True)[1]
        taken = chosen[of_label].sum()
        assert (taken > 0) == (len(sizes) > 1)
        assert taken < of_label.sum()
        # one group at least, and never more than half a group too much
        assert taken <= max(sizes.max(), share * of_label.sum() + sizes.max() / 2)
    assert not held_out(names, labels, groups, share=0, seed=seed).any()


def test_the_crop_around_a_whole_picture_is_the_picture() -> None:
    for image_hw in ((60, 60), (20, 90), (200, 31)):
        left, top, right, bottom = GEOMETRY.square_xyxy(np.array(whole_picture_box(image_hw, GEOMETRY)))
        side = max(image_hw)
        assert right - left == bottom - top == pytest.approx(side, abs=1)
        assert (left + right) / 2 == pytest.approx(image_hw[1] / 2, abs=1)
        assert (top + bottom) / 2 == pytest.approx(image_hw[0] / 2, abs=1)


def test_folders_and_boxes_become_examples(tmp_path: Path) -> None:
    write_folders(tmp_path / "crops", per_class=10)
    write_labels(tmp_path / "site", pictures=10)
    folders = load_face_set(FaceSet("crops", faces="whole", held_out=0.2), tmp_path)
    assert folders.to_be_found() == {}
    found = folders.examples({}, geometry=GEOMETRY, seed=1)
    assert len(found) == 40
    kinds = {example.source: example.kind for example in found}
    assert kinds == {"crops/no mask": UNKNOWN_KIND, "crops/surgical": 0, "crops/n95": 1, "crops/cloth": 2}
    for source in kinds:
        assert sum(example.held_out for example in found if example.source == source) == 2
    boxes = load_face_set(FaceSet("site/train.json", classes={"wrong": "incorrect"}), tmp_path)
    found = boxes.examples({}, geometry=GEOMETRY, seed=1)
    assert {(example.label, example.box_xyxy) for example in found} == {
        (WITHOUT_MASK, (12.0, 9.0, 36.0, 39.0)),
        (INCORRECT, (60.0, 9.0, 84.0, 39.0)),
    }
    # both faces of a picture are on one side
    assert sum(example.held_out for example in found) == 2
    assert len({example.file for example in found if example.held_out}) == 1
    with pytest.raises(DataSetError, match="'wrong' is no state"):
        load_face_set(FaceSet("site/train.json"), tmp_path).examples({}, geometry=GEOMETRY, seed=1)


def test_a_face_is_taken_where_the_detector_found_it(tmp_path: Path) -> None:
    write_folders(tmp_path / "crops", per_class=2)
    folders = load_face_set(FaceSet("crops"), tmp_path)
    keys = folders.to_be_found()
    assert set(keys) == {f"crops/{name}/{number}.png" for name in COLOURS for number in (0, 1)}
    landmarks = [0.0] * 10
    located = {
        "crops/n95/0.png": [[10, 11, 30, 35, 0.9, *landmarks], [1, 1, 5, 5, 0.9, *landmarks]],
        "crops/n95/1.png": [[10, 11, 30, 35, 0.9, *landmarks], [12, 1, 30, 25, 0.5, *landmarks]],
    }
    found = {
        example.file.relative_to(tmp_path).as_posix(): example.box_xyxy
        for example in folders.examples(located, geometry=GEOMETRY, seed=1)
    }
    assert found["crops/n95/0.png"] == (10, 11, 30, 35)
    # two faces: the label may speak of either
    assert "crops/n95/1.png" not in found
    assert found["crops/cloth/0.png"] == whole_picture_box((48, 48), GEOMETRY)


RECIPE = """
source: a test
sets:
  - {path: crops, faces: whole, held_out: 0.25}
  - {path: site/train.json, classes: {wrong: incorrect}, held_out: 0.25}
validation:
  - {path: measured, faces: whole, held_out: 0}
network: {size_px: 32, dropout: 0.0, kinds: true}
crops: {size_px: 32}
augmentation: {low_resolution: 0, blur: 0, noise: 0, occlusion: 0, grey: 0, rotation_deg: 5}
label_shares: [0.4, 0.3, 0.3, 0]
rounds: 2
steps_per_round: 60
batch_size: 24
learning_rate: 0.01
warm_up_steps: 5
average_decay: 0.8
workers: 1
seed: 3
"""


def test_one_command_leads_from_pictures_to_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folders(tmp_path / "crops", per_class=16)
    write_folders(tmp_path / "measured", per_class=8, seed=2)
    write_labels(tmp_path / "site", pictures=16)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    out = tmp_path / "run"
    code = main([str(tmp_path / "recipe.yaml"), "--data", str(tmp_path), "--out", str(out)], prog="train")
    assert code == 0, capsys.readouterr().err
    assert capsys.readouterr().out.splitlines()[-1] == f"best weights: {out / 'best.safetensors'}"
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [60, 120]
    # the stated band: colours are easily told, the seed and the machine move a few pictures
    assert rows[-1]["measured accuracy"] >= 0.9
    assert rows[-1]["measured kinds"] >= 0.8
    assert rows[-1]["score"] >= 0.85
    assert rows[-1]["loss"] < 0.75 * rows[0]["loss"]
    assert list((out / "curves").glob("events*"))
    classifier = MaskStateClassifier(out / "best.safetensors", device="cpu")
    assert classifier.tells_kinds
    # what is there is not made again, and a run that is done has nothing left to do
    recipe = read_mask_state_recipe(tmp_path / "recipe.yaml")
    training, validation = prepared_crops(recipe, out / "crops", data=None)
    assert len(training) == 4 * 16 + 2 * 16
    assert len(validation) == 4 * 8
    assert training.held_out.sum() == 4 * 4 + 2 * 4
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("seed: 3", "seed: 4"))
    with pytest.raises(TrainingError, match="of another recipe"):
        prepared_crops(read_mask_state_recipe(tmp_path / "recipe.yaml"), out / "crops", data=None)
    assert main([str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "other")], prog="train") == 1
    assert "say with --data" in capsys.readouterr().err


def test_a_tenth_of_the_face_crops_is_kept_to_measure_by(shared_data: Path) -> None:
    training, measured = face_crops_parts(shared_data)
    assert len(training) + len(measured) == 4091
    assert 400 <= len(measured) <= 418
    masked = sum(picture.image_label == "with_mask" for picture in measured)
    assert 0.5 <= masked / len(measured) <= 0.56
    assert not {picture.path for picture in training} & {picture.path for picture in measured}
