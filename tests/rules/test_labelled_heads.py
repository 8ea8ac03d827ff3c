"""Labelled pictures of building sites, as if a perfect detector saw them: are the parts put together as labelled?"""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scenario import pixels

from models.structures import Category, Detections, Gear
from rules import associate

LABELLED = {"hard_hat", "bare_head", "person"}


@pytest.fixture(scope="module")
def people_of_pictures(shared_data: Path):
    """For each picture with labels: the names of its labels, and the persons that the rules see."""
    labels = json.loads((shared_data / "hard_hats" / "val.json").read_text())
    names = {category["id"]: category["name"] for category in labels["categories"]}
    boxes = defaultdict(list)
    for row in labels["annotations"]:
        if names[row["category_id"]] in LABELLED and min(row["bbox"][2:]) >= 4:
            boxes[row["image_id"]].append((names[row["category_id"]], row["bbox"]))
    return [
        ([name for name, _ in rows], associate(seen(picture, rows), gears=[Gear.HARD_HAT]))
        for picture in labels["images"]
        if (rows := boxes[picture["id"]])
    ]


def seen(picture, rows) -> Detections:
    corners = np.array([(x, y, x + w, y + h) for _, (x, y, w, h) in rows], np.float32)
    return Detections(
        image_hw=(picture["height"], picture["width"]),
        boxes_xyxy=corners,
        scores=np.full(len(rows), 0.9),
        class_ids=np.array([int(Category[name.upper()]) for name, _ in rows]),
        input_scale=3.0,
        seg_masks=np.array([pixels(bottom=0.5 if name == "hard_hat" else 1.0) for name, _ in rows]),
    )


def reasons(people, start):
    return [
        person.gear[Gear.HARD_HAT].reason
        for person in people
        if person.gear[Gear.HARD_HAT].reason.startswith(start)
    ]


def test_nearly_every_hard_hat_is_worn_by_one_person(people_of_pictures):
    labelled = sum(names.count("hard_hat") for names, _ in people_of_pictures)
    worn = sum(len(reasons(people, "hard hat 0.90 on the head")) for _, people in people_of_pictures)
    assert labelled > 500
    assert 0.99 * labelled <= worn <= labelled


def test_no_bare_head_wears_the_hat_of_another(people_of_pictures):
    for names, people in people_of_pictures:
        assert len(reasons(people, "bare head")) == names.count("bare_head")
        assert not any("against" in reason for reason in reasons(people, "hard hat"))


def test_nobody_is_counted_twice_and_no_body_is_lost(people_of_pictures):
    found = least = 0
    for names, people in people_of_pictures:
        bodies, heads = names.count("person"), names.count("hard_hat") + names.count("bare_head")
        assert sum(not person.box_is_estimated for person in people) == bodies
        assert len(people) <= heads + bodies
        found += len(people)
        least += max(heads, bodies)
    # a few heads hide each other, or are labelled twice where the picture repeats its border
    assert found >= 0.99 * least
