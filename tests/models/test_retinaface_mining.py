"""Hard examples: what is missed, what is false, and how that changes what is drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from retinaface_training_builders import draw_set, example_of, faces_of, picture_of

from models.retinaface.faces import Faces
from models.training.retinaface_augmentation import HARD_SHARE, draw_tile
from models.training.retinaface_examples import face_example, no_faces
from models.training.retinaface_mining import hard_places, mined
from models.training.retinaface_sets import LoadedSet, TrainingSet, batches, load_set

FACES = [[10, 10, 30, 30], [60, 60, 80, 80]]


def test_missed_and_false_faces_are_hard() -> None:
    example = face_example(picture_of(FACES), no_faces(), exhaustive=True)
    seen = faces_of(
        ([11, 11, 31, 31], 0.9),  # found
        ([60, 60, 80, 80], 0.4),  # there, but not sure enough: missed
        ([40, 10, 50, 20], 0.35),  # false
        ([40, 40, 50, 50], 0.2),  # too unsure to be called anything
        ([58, 50, 82, 74], 0.9),  # badly placed: no face found, and none far from it either
    )
    np.testing.assert_array_equal(hard_places(example, seen), [FACES[1], [40, 10, 50, 20]])
    assert len(hard_places(example, faces_of(*[(box, 0.9) for box in FACES]))) == 0
    assert len(hard_places(example, no_faces())) == 2


def test_what_is_ignored_is_never_hard() -> None:
    bystander = ([40, 10, 50, 20], 0.9)
    example = face_example(picture_of(FACES), faces_of(bystander), exhaustive=False)
    seen = faces_of(*[(box, 0.9) for box in FACES], bystander)
    assert len(hard_places(example, seen)) == 0


def test_hard_pictures_are_drawn_more_often_up_to_a_bound() -> None:
    example = face_example(picture_of(FACES), no_faces(), exhaustive=True)
    assert mined(example, no_faces(), gain=0.5).draw_weight == 2
    crowd = faces_of(*[([x, 0, x + 9, 9], 0.9) for x in range(0, 100, 10)])
    assert mined(example, crowd, gain=0.5).draw_weight == 3
    assert mined(example, faces_of(*[(box, 0.9) for box in FACES]), gain=0.5).draw_weight == 1


def test_crops_show_the_hard_places(tmp_path: Path) -> None:
    draw_set(tmp_path, 1)
    easy, hard = [20, 20, 40, 40], [150, 100, 170, 120]
    example = example_of(tmp_path / "0.png", (160, 200), [easy, hard], np.zeros((2, 5, 2)))
    example = replace(example, hard_xyxy=np.array([hard], np.float32))
    rng = np.random.default_rng(1)
    shown = np.zeros(2)
    for _ in range(200):
        tile = draw_tile(example, rng, 64, heights_px=(30, 32))
        # so large that only one of the two fits
        assert len(tile.boxes_xyxy) <= 1
        if len(tile.boxes_xyxy) and len(tile.ignored_xyxy) == 0:
            shown[int(tile.landmark_weights[0] == 0)] += 1
    assert HARD_SHARE > 0.5


def test_draws_follow_the_weights_and_the_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = draw_set(tmp_path)
    training_set = TrainingSet(file, 1.0, exhaustive_sources=("complete",), mining=1.0)
    weights = tmp_path / "weights"
    weights.write_bytes(b"x")

    def seen(pictures, path, cache, *, longest_sides_px) -> list[Faces]:
        assert (path, longest_sides_px) == (weights, (640,))
        # everything is found but in the first picture
        rows = [[(list(box), 0.9) for box in picture.boxes_xyxy] for picture in pictures]
        return [faces_of(*row) if number else faces_of() for number, row in enumerate(rows)]

    monkeypatch.setattr("models.training.retinaface_sets.teacher_faces", seen)
    loaded = load_set(training_set, teacher=None, miner=weights, cache=tmp_path)
    assert [example.draw_weight for example in loaded.examples] == [3, 1, 1, 1]
    read: list[str] = []

    class Counting:
        def read(self, path: Path) -> np.ndarray:
            read.append(path.name)
            return np.zeros((160, 200, 3), np.uint8)

    stream = batches(
        [LoadedSet(1.0, loaded.examples)],
        batch_size=8,
        side_px=64,
        seed=1,
        first_step=0,
        workers=1,
        pictures=Counting(),  # type: ignore[arg-type]
    )
    for _ in range(25):
        next(stream)
    stream.close()
    assert 0.42 < read.count("0.png") / len(read) < 0.58
