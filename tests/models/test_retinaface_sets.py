"""Sets that RetinaFace learns from: what is held out, who teaches, and the batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from retinaface_builders import made_up_weights
from retinaface_training_builders import draw_set, stream_for

from models.errors import DataSetError, TrainingError
from models.evaluation.coco_faces import read_faces
from models.training.retinaface_sets import TrainingSet, held_out_pictures, load_set
from models.training.retinaface_teacher import teacher_faces


def test_held_out_pictures_are_not_learned_from(tmp_path: Path) -> None:
    training_set = TrainingSet(draw_set(tmp_path), 1.0, exhaustive_sources=("complete",), held_out=True)
    weights = made_up_weights(tmp_path / "w.safetensors")
    assert [picture.path.name for picture in held_out_pictures([training_set])] == ["1.png"]
    learned = load_set(training_set, teacher=weights, miner=None, cache=tmp_path).examples
    assert [example.path.name for example in learned] == ["0.png", "2.png", "3.png"]
    some = replace(training_set, sources=("complete",))
    learned = load_set(some, teacher=None, miner=None, cache=tmp_path).examples
    assert [example.path.name for example in learned] == ["3.png"]
    with pytest.raises(DataSetError, match="holds pictures out"):
        held_out_pictures([replace(training_set, held_out=False)])


def test_batches_depend_on_seed_and_step_alone(tmp_path: Path) -> None:
    file = draw_set(tmp_path)
    one, other, late = stream_for(file), stream_for(file, workers=3), stream_for(file, first_step=3)
    first = [next(one) for _ in range(5)]
    for (pixels, targets), (same, same_targets) in zip(first, other, strict=False):
        np.testing.assert_array_equal(pixels, same)
        np.testing.assert_array_equal(targets["labels"], same_targets["labels"])
    np.testing.assert_array_equal(first[3][0], next(late)[0])
    assert (first[0][0] != first[1][0]).any()
    for stream in (one, other, late):
        stream.close()


def test_the_teacher_answers_once(tmp_path: Path) -> None:
    pictures = read_faces(draw_set(tmp_path / "data", 2))
    weights = made_up_weights(tmp_path / "w.safetensors")
    first = teacher_faces(pictures, weights, tmp_path / "cache")
    assert len(first) == 2
    pictures[0].path.unlink()  # the second time nobody looks
    again = teacher_faces(pictures, weights, tmp_path / "cache")
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_bad_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="cannot be read"):
        read_faces(tmp_path / "absent.json")
    for text in ("", "[]", "{}", '{"images": [], "annotations": [{}], "categories": []}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(DataSetError, match="no COCO file"):
            read_faces(tmp_path / "bad.json")
    file = draw_set(tmp_path / "data", 1)
    nobody = TrainingSet(file, 1.0, labels="heads", head_categories=("head",))
    with pytest.raises(DataSetError, match="nothing to learn"):
        load_set(nobody, teacher=made_up_weights(tmp_path / "w.safetensors"), miner=None, cache=tmp_path)
    with pytest.raises(TrainingError, match="need a teacher"):
        load_set(nobody, teacher=None, miner=None, cache=tmp_path)
    with pytest.raises(TrainingError, match="initial weights that find faces"):
        load_set(TrainingSet(file, 1.0, mining=1.0), teacher=None, miner=None, cache=tmp_path)
