"""Learning from a part of the data."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from retinaface_training_builders import draw_set

from models.errors import TrainingError
from models.training.mask_state_cache import CropCache, part_of_cache
from models.training.part import checked_part, is_in_part, part_of_rounds
from models.training.retinaface_sets import TrainingSet, held_out_pictures, load_set


def test_a_part_is_about_as_large_as_it_says_and_always_the_same() -> None:
    names = [f"group {number}" for number in range(4000)]
    tenth = [name for name in names if is_in_part(name, 0.1)]
    assert 320 < len(tenth) < 480
    assert tenth == [name for name in names if is_in_part(name, 0.1)]
    assert all(is_in_part(name, 1.0) for name in names)


@given(st.text(), st.floats(0.001, 1), st.floats(0.001, 1))
def test_a_larger_part_holds_a_smaller_one(name: str, one: float, other: float) -> None:
    if is_in_part(name, min(one, other)):
        assert is_in_part(name, max(one, other))


@pytest.mark.parametrize("part", [0.0, -0.1, 1.01, float("nan")])
def test_what_is_no_part_is_refused(part: float) -> None:
    with pytest.raises(TrainingError, match="part must be"):
        checked_part(part)


def test_at_least_one_round_is_given() -> None:
    assert [part_of_rounds(20, part) for part in (1.0, 0.1, 0.01)] == [20, 2, 1]


def test_a_retinaface_learns_from_the_part_and_holds_out_the_same(tmp_path: Path) -> None:
    file = draw_set(tmp_path, 30)
    content = json.loads(file.read_text())
    for number, image in enumerate(content["images"]):
        image["group"] = number
    file.write_text(json.dumps(content))
    training_set = TrainingSet(file, 1.0, exhaustive_sources=("complete", "gappy"), held_out=True)
    held_out = {picture.path for picture in held_out_pictures([training_set])}
    whole = load_set(training_set, teacher=None, miner=None, cache=tmp_path).examples
    some = load_set(training_set, teacher=None, miner=None, cache=tmp_path, part=0.4).examples
    assert len(whole) == 30 - len(held_out)
    assert 5 < len(some) < 20
    assert {example.path for example in some} < {example.path for example in whole}


def test_a_classifier_learns_from_the_part_and_holds_out_all() -> None:
    count = 200
    held_out = np.arange(count) % 10 == 0
    hw = np.full((count, 2), 2, np.int32)
    cache = CropCache(
        pixels=np.repeat(np.arange(count, dtype=np.uint8), 12),
        offsets=np.arange(count, dtype=np.int64) * 12,
        hw=hw,
        boxes_xyxy=np.zeros((count, 4), np.float32),
        native_px=np.zeros(count, np.float32),
        labels=np.arange(count, dtype=np.int32),
        kinds=np.zeros(count, np.int32),
        sources=np.array(["a"] * count),
        held_out=held_out,
    )
    part = part_of_cache(cache, 0.25)
    assert set(cache.labels[held_out]) <= set(part.labels)
    assert 20 < len(part) - held_out.sum() < 75
    for index, label in enumerate(part.labels):
        assert (part.region(index) == label).all(), "an example keeps its own pixels"
    assert part_of_cache(cache, 1.0) is cache
