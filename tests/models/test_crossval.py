"""Folds of a data set, the recipe that learns from one, and two folds trained for a step."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from face_sets import NAMES
from mask_state_builders import made_up_mask_state_weights
from retinaface_builders import made_up_weights

from models.data.annotated import AnnotatedPicture
from models.data.readers import read_coco
from models.errors import DataSetError, TrainingError
from models.evaluation import crossval, crossval_runs
from models.evaluation.coco_faces import read_faces
from models.evaluation.crossval_folds import Fold, folds_table, make_folds, write_fold
from models.evaluation.crossval_runs import (
    FoldFigures,
    Measuring,
    fold_recipe,
    run_fold,
    summary_of,
    summary_table,
)
from models.evaluation.tables import as_text
from models.training.retinaface_recipe import RetinaFaceRecipe, read_recipe
from models.training.retinaface_sets import TrainingSet

#: Groups 14, 15 and 21 are held out to choose the best round: some of them in each half.
COUNT = 24


def write_set(folder: Path, count: int = COUNT, *, pairs: bool = False) -> Path:
    """Discs for faces; one face in six wears its mask wrongly."""
    draw = np.random.default_rng(5)
    images, annotations = [], []
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        canvas = draw.integers(40, 90, (96, 128, 3)).astype(np.uint8)
        for place in range(2):
            x, y, radius = 32 + 64 * place, int(draw.integers(36, 60)), int(draw.integers(12, 28))
            cv2.circle(canvas, (x, y), radius, (120, 160, 230), -1)
            category = 3 if number % 6 == 0 and place else 1 + (number + place) % 2
            box = [x - radius, y - radius, 2 * radius, 2 * radius]
            annotations.append({"image_id": number, "category_id": category, "bbox": box})
        cv2.imwrite(str(folder / "images" / f"{number}.png"), canvas)
        row = {
            "id": number,
            "file_name": f"images/{number}.png",
            "width": 128,
            "height": 96,
            "source": "yard",
        }
        images.append(row | {"group": number // 2 if pairs else number})
    categories = [{"id": index + 1, "name": name} for index, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "faces.json").write_text(json.dumps(content))
    return folder / "faces.json"


def paths(pictures: tuple[AnnotatedPicture, ...]) -> list[Path]:
    return sorted(picture.path.resolve() for picture in pictures)


def test_every_picture_is_validated_on_once_and_groups_stay_together(tmp_path: Path) -> None:
    pictures = read_coco(write_set(tmp_path / "data", pairs=True))
    folds = make_folds(pictures, 4, seed=2)
    assert [fold.number for fold in folds] == [1, 2, 3, 4]
    everything = paths(tuple(pictures))
    assert sorted(path for fold in folds for path in paths(fold.val)) == everything
    for fold in folds:
        assert sorted(paths(fold.train) + paths(fold.val)) == everything
        assert not {one.group for one in fold.train} & {one.group for one in fold.val}
        assert len(fold.val) == 6
        # one of the four wrongly worn ones each
        worn = [thing.category for picture in fold.val for thing in picture.objects]
        assert worn.count("face_mask_incorrect") == 1
    again = make_folds(pictures, 4, seed=2)
    assert [paths(fold.val) for fold in again] == [paths(fold.val) for fold in folds]
    assert [paths(fold.val) for fold in make_folds(pictures, 4, seed=3)] != [
        paths(fold.val) for fold in folds
    ]
    lines = as_text([folds_table(folds)]).splitlines()
    assert lines[-2].split() == ["all", "24", "12", "4", *lines[-2].split()[4:6], "24"]
    with pytest.raises(DataSetError, match="two folds"):
        make_folds(pictures, 1, seed=1)
    with pytest.raises(DataSetError, match="12 groups"):
        make_folds(pictures, 13, seed=1)


def test_a_written_fold_reads_back(tmp_path: Path) -> None:
    fold = make_folds(read_coco(write_set(tmp_path / "data")), 3, seed=1)[0]
    train, val = write_fold(fold, tmp_path / "runs" / "fold_1")
    assert paths(tuple(read_coco(train))) == paths(fold.train)
    assert {one.group for one in read_faces(val)} == {one.group for one in fold.val}
    assert sum(len(one.boxes_xyxy) for one in read_faces(val)) == 2 * len(fold.val)


def test_the_recipe_learns_from_the_fold(tmp_path: Path) -> None:
    def training_set(name: str, **options: object) -> TrainingSet:
        return TrainingSet(tmp_path / name, 0.25, **options)

    faces = training_set("faces.json", exhaustive_sources=("yard",), held_out=True)
    heads = training_set("heads.json", labels="heads", head_categories=("head",))
    recipe = RetinaFaceRecipe(sets=(faces, heads), source="x", init=tmp_path / "w")
    picture = AnnotatedPicture(tmp_path / "a.png", (10, 10), (), source="plant")
    fold = Fold(1, (picture,), ())
    named = fold_recipe(recipe, tmp_path / "faces.json", tmp_path / "train.json", fold)
    assert named.sets[0].coco_file == tmp_path / "train.json"
    assert named.sets[0].exhaustive_sources == ("yard",)
    assert named.sets[1] == heads
    other = fold_recipe(recipe, tmp_path / "other.json", tmp_path / "train.json", fold)
    assert (other.sets[0].coco_file, other.sets[0].share) == (tmp_path / "train.json", 0.25)
    assert other.sets[0].exhaustive_sources == ("plant",)
    assert other.sets[0].held_out
    assert other.sets[1:] == (heads,)
    with pytest.raises(TrainingError, match="no set of faces"):
        fold_recipe(
            RetinaFaceRecipe(sets=(heads,), source="x", init=tmp_path / "w"),
            tmp_path / "a",
            tmp_path / "b",
            fold,
        )


def test_the_summary_is_the_mean_and_the_deviation_of_a_sample() -> None:
    folds = [
        FoldFigures(number, 10, Path("w"), {"AP": value, "TNR": None if number == 2 else 0.5, "none": None})
        for number, value in ((1, 0.6), (2, 0.8), (3, 1.0))
    ]
    summary = summary_of(folds)
    assert summary["mean"] == {"AP": pytest.approx(0.8), "TNR": 0.5, "none": None}
    assert summary["standard_deviation"] == {"AP": pytest.approx(0.2), "TNR": 0, "none": None}
    assert as_text([summary_table(folds)]).splitlines()[-1].split() == [
        *("standard", "deviation", "0.200", "0.000", "-")
    ]


RECIPE = {
    "source": "a test",
    "sets": [{"coco_file": "faces.json", "share": 1.0, "exhaustive_sources": ["yard"], "held_out": True}],
    "validation_sides_px": [96],
    "rounds": 7,
    "steps_per_round": 1,
    "batch_size": 2,
    "side_px": 64,
    "warm_up_steps": 1,
    "workers": 1,
}


@pytest.mark.usefixtures("eagerly")
def test_a_fold_is_trained_and_measured_on_what_it_left_out(tmp_path: Path) -> None:
    file = write_set(tmp_path / "data")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | {"rounds": 1}))
    init = made_up_weights(tmp_path / "w.safetensors")
    recipe = read_recipe(tmp_path / "recipe.yaml", data=file.parent, init=init)
    fold = make_folds(read_coco(file), 3, seed=1)[1]
    measuring = Measuring(
        made_up_mask_state_weights(tmp_path / "c.safetensors"), input_size_px=64, device="cpu"
    )
    lines: list[str] = []
    done = run_fold(fold, recipe, file, tmp_path / "runs", measuring, report=lines.append)
    assert (done.number, done.pictures) == (2, 8)
    assert done.weights == tmp_path / "runs" / "fold_2" / "best.safetensors"
    assert done.weights.is_file()
    assert {"face AP50", "mAP50", "TNR"} <= set(done.figures)
    assert lines
    assert all(line.startswith("fold 2: ") for line in lines)
    assert any("tfevents" in path.name for path in (tmp_path / "runs" / "fold_2").rglob("*"))


def test_the_command_goes_through_the_folds_and_sums_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_set(tmp_path / "data")
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    init = made_up_weights(tmp_path / "w.safetensors")
    recipes: list[RetinaFaceRecipe] = []

    def untrained(recipe: RetinaFaceRecipe, out: Path, *, report: Callable[[str], None]) -> Path:
        recipes.append(recipe)
        report("round 1")
        return init

    monkeypatch.setattr(crossval_runs, "train_retinaface", untrained)
    assert crossval.main([str(file), "--folds", "2", "--dry-run"]) == 0
    assert "face_mask_incorrect" in capsys.readouterr().out
    arguments = [
        *(str(file), "--folds", "2", "--recipe", str(tmp_path / "recipe.yaml"), "--data", str(file.parent)),
        *("--init", str(init), "--set", "rounds=1", "--set", "validation_sides_px=[64, 96]"),
        *("--classifier", str(made_up_mask_state_weights(tmp_path / "c.safetensors"))),
        *("--input-size", "64", "--out", str(tmp_path / "runs"), "--device", "cpu"),
    ]
    assert crossval.main(arguments) == 0
    out = capsys.readouterr().out
    assert "fold 2: round 1" in out
    assert "standard deviation" in out
    assert [(one.rounds, one.validation_sides_px, one.init) for one in recipes] == [(1, (64, 96), init)] * 2
    assert [one.sets[0].coco_file.parent.name for one in recipes] == ["fold_1", "fold_2"]
    summary = json.loads((tmp_path / "runs" / "summary.json").read_text())
    assert summary == yaml.safe_load((tmp_path / "runs" / "summary.yaml").read_text())
    assert [(one["fold"], one["pictures"]) for one in summary["folds"]] == [(1, 12), (2, 12)]
    assert any("tfevents" in path.name for path in (tmp_path / "runs" / "curves").iterdir())
    assert "data:image/png" in (tmp_path / "runs" / "index.html").read_text()
    assert crossval.main([*arguments, "--set", "round=3"]) == 1
    assert "--set round" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        crossval.main([str(file)])
    assert "--recipe" in capsys.readouterr().err
