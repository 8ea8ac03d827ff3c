"""Groups, near duplicates, and parts that have their share of everything."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import labelled_sets as sets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.near_duplicates import groups_of, near_duplicates
from models.data.readers import read_pictures
from models.data.splitting import split_pictures
from models.errors import DataSetError


def picture(name, *categories, **words):
    things = tuple(AnnotatedObject(category, (0, 0, 10, 10)) for category in categories)
    return AnnotatedPicture(Path(name), (60, 80), things, **words)


def test_groups_and_cameras_chain():
    pictures = [
        picture("a", group="1"),
        picture("b", group="1", camera="c", source="s"),
        picture("c", camera="c", source="s"),
        picture("d", camera="c", source="t"),
        picture("other/e", group="1"),
        picture("f"),
        picture("g"),
    ]
    assert groups_of(pictures, look=False).tolist() == [0, 0, 0, 1, 2, 3, 4]


def test_near_duplicates_are_found_by_eye(tmp_path):
    original = cv2.imread(str(sets.draw(tmp_path / "a.png", 1, (240, 320))))
    sets.draw(tmp_path / "other.png", 2, (240, 320))
    cv2.imwrite(str(tmp_path / "small.jpg"), cv2.resize(original, (160, 120)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(str(tmp_path / "mirrored.png"), original[:, ::-1])
    cv2.imwrite(str(tmp_path / "brighter.png"), cv2.convertScaleAbs(original, alpha=0.9, beta=20))
    names = ["other.png", "a.png", "small.jpg", "mirrored.png", "brighter.png"]
    pairs = near_duplicates([tmp_path / name for name in names])
    assert set(pairs) >= {(1, 2), (1, 3), (1, 4)}
    assert all(one != 0 for one, _ in pairs)
    groups = groups_of([picture(tmp_path / name) for name in names])
    assert len(set(groups[1:])) == 1
    assert groups[0] != groups[1]


def test_pictures_of_known_groups_are_not_looked_at(tmp_path):
    pictures = [picture(tmp_path / "absent.png", group="1"), picture(tmp_path / "gone.png", camera="x")]
    assert groups_of(pictures).tolist() == [0, 1]
    with pytest.raises(DataSetError, match=r"absent\.png"):
        groups_of([replace(row, group="", camera="") for row in pictures])


def made_up(count=400, seed=0):
    """Pictures of two sources in groups of one to six, with a common, a rare and a very rare category."""
    rng = np.random.default_rng(seed)
    pictures, groups = [], []
    while len(pictures) < count:
        source = "site" if rng.random() < 0.3 else "plant"
        group = len(set(groups))
        for _ in range(int(rng.integers(1, 7))):
            things = ["hard_hat"] * int(rng.integers(0, 5))
            things += ["bare_head"] * int(rng.random() < 0.2) + ["mask"] * int(rng.random() < 0.03)
            pictures.append(picture(f"{len(pictures)}.png", *things, source=source))
            groups.append(group)
    return pictures, np.array(groups)


def test_every_part_has_its_share_and_no_group_is_cut():
    pictures, groups = made_up()
    shares = {"train": 0.7, "val": 0.2, "test": 0.1}
    parts = split_pictures(pictures, groups, shares, seed=3)
    assert list(parts) == ["train", "val", "test"]
    part_of = {row.path: name for name, rows in parts.items() for row in rows}
    assert len(part_of) == len(pictures) == sum(map(len, parts.values()))
    by_group = {(group, part_of[row.path]) for row, group in zip(pictures, groups, strict=True)}
    assert len(by_group) == len(set(groups))
    for label, slack in (("hard_hat", 0.04), ("bare_head", 0.06), ("mask", 0.15)):
        amounts = Counter()
        for name, rows in parts.items():
            amounts[name] += sum(thing.category == label for row in rows for thing in row.objects)
        for name, share in shares.items():
            assert amounts[name] / amounts.total() == pytest.approx(share, abs=slack), (label, name)
    for name, rows in parts.items():
        assert len(rows) / len(pictures) == pytest.approx(shares[name], abs=0.03)
        assert Counter(row.source for row in rows)["site"] > 0
        # in their order
        assert [int(row.path.stem) for row in rows] == sorted(int(row.path.stem) for row in rows)


def test_the_seed_decides():
    pictures, groups = made_up(60)
    shares = {"train": 0.8, "val": 0.2}

    def names(seed):
        return [row.path.name for row in split_pictures(pictures, groups, shares, seed=seed)["val"]]

    assert names(1) == names(1)
    assert names(1) != names(2)


@given(sizes=st.lists(st.integers(1, 4), min_size=3, max_size=9), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_small_sets_lose_nothing(sizes, seed):
    groups = np.repeat(np.arange(len(sizes)) * 7, sizes)
    pictures = [picture(f"{index}.png", *["hat"] * (index % 2)) for index in range(len(groups))]
    parts = split_pictures(pictures, groups, {"a": 0.6, "b": 0.2, "c": 0.2}, seed=seed)
    assert sorted(row.path.name for rows in parts.values() for row in rows) == sorted(
        row.path.name for row in pictures
    )
    assert all(parts.values())


@pytest.mark.parametrize("shares", [{"a": 1.0}, {"a": 0.5, "b": 0.6}, {"a": 1.0, "b": 0.0}, {}])
def test_shares_that_are_none(shares):
    with pytest.raises(DataSetError, match="shares"):
        split_pictures([picture("a")], np.array([0]), shares, seed=0)


def test_too_few_groups():
    with pytest.raises(DataSetError, match="2 pictures in 1 groups cannot be split into 2 parts"):
        split_pictures([picture("a"), picture("b")], np.array([0, 0]), {"a": 0.5, "b": 0.5}, seed=0)


def test_shared_cameras_stay_together(shared_data):
    pictures = read_pictures(shared_data / "hard_hats" / "train.json")
    parts = split_pictures(pictures, groups_of(pictures, look=False), {"train": 0.85, "val": 0.15}, seed=1)
    cameras = [{row.camera for row in rows if row.camera} for rows in parts.values()]
    assert cameras[0]
    assert cameras[1]
    assert not cameras[0] & cameras[1]
    for category in ("hard_hat", "bare_head", "person"):
        amounts = [
            sum(thing.category == category for row in rows for thing in row.objects)
            for rows in parts.values()
        ]
        assert amounts[1] / sum(amounts) == pytest.approx(0.15, abs=0.05)
