"""Counts and sizes of labelled pictures."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.readers import read_pictures
from models.data.statistics import PERCENTILES, figures_of, table_of


def test_figures(tmp_path):
    outline = np.array([[0, 0], [10, 0], [10, 40]], np.float32)
    (tmp_path / "a.png").touch()
    pictures = [
        AnnotatedPicture(
            tmp_path / "a.png",
            (100, 200),
            (
                AnnotatedObject("hat", (0, 0, 10, 40), (outline,)),
                AnnotatedObject("hat", (0, 0, 40, 10)),
                AnnotatedObject("hat", (0, 0, 100, 100), ignored=True),
                AnnotatedObject("crowd", (0, 0, 9, 9), ignored=True),
            ),
            source="plant",
        ),
        AnnotatedPicture(
            tmp_path / "b.png", (50, 50), (AnnotatedObject("hat", (0, 0, 20, 20)),), source="plant"
        ),
        AnnotatedPicture(Path("c.png"), (50, 50), (), image_label="cloth"),
    ]
    figures = figures_of(pictures)
    anonymous, plant = figures.sources
    assert (anonymous.pictures, anonymous.without_objects, anonymous.image_labels) == (1, 1, {"cloth": 1})
    assert (plant.source, plant.pictures, plant.without_objects, plant.missing_files) == ("plant", 2, 0, 1)
    crowd, hat = figures.categories
    assert (hat.pictures, hat.objects, hat.with_polygons, hat.ignored) == (2, 4, 1, 1)
    middle = PERCENTILES.index(50)
    assert hat.size_px == (20.0,) * 5
    assert hat.size_relative[middle] == 0.1
    assert hat.aspect[middle] == 1.0
    assert (hat.aspect[0], hat.aspect[-1]) == pytest.approx((0.325, 3.7))
    assert (crowd.objects, crowd.size_px) == (1, ())
    assert json.loads(json.dumps(figures.to_mapping()))["categories"][1]["objects"] == 4
    table = table_of(figures).splitlines()
    assert table[0].split()[:3] == ["source", "pictures", "empty"]
    assert any(line.split()[:6] == ["plant", "hat", "2", "4", "1", "1"] for line in table)


def test_of_the_shared_sets(shared_data):
    figures = figures_of(read_pictures(shared_data / "hard_hats" / "val.json"))
    objects = {}
    for row in figures.categories:
        objects[row.category] = objects.get(row.category, 0) + row.objects
    assert objects == {"hard_hat": 541, "bare_head": 95, "person": 215, "unclear_head": 32}
    # persons are labelled in one source alone
    assert [row.source for row in figures.categories if row.category == "person"] == ["sfchd"]
    assert sum(row.pictures for row in figures.sources) == 240
    assert not any(row.missing_files for row in figures.sources)
