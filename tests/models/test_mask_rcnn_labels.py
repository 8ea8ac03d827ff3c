"""The table of labels, and pictures put into the network's terms."""

from pathlib import Path

import numpy as np
import pytest

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.readers.coco import read_coco
from models.errors import TrainingError
from models.training.mask_rcnn.labels import LabelRule, LabelTable, SourceRules, read_label_table

CATEGORIES = ("hard_hat", "bare_head", "person", "face_mask", "hat")
TABLE = Path(__file__).parents[2] / "models" / "training" / "recipes" / "mask_rcnn_labels.yaml"


def _picture(
    *objects: AnnotatedObject,
    source: str = "site",
    name: str = "a.webp",
    image_hw: tuple[int, int] = (100, 100),
) -> AnnotatedPicture:
    return AnnotatedPicture(Path(name), image_hw, objects, source=source)


def _table(**rules: LabelRule) -> LabelTable:
    return LabelTable({"site": SourceRules(labels=rules, labelled=("hard_hat",))})


def test_a_label_becomes_a_thing_an_ignored_region_or_nothing() -> None:
    table = _table(
        helmet=LabelRule(is_=("hard_hat",)),
        cover=LabelRule(is_=("hard_hat", "hat")),
        unclear=LabelRule(ignored=True),
        skin=LabelRule(dropped=True),
    )
    objects = [
        AnnotatedObject(name, (10.0 * index, 5.0, 10.0 * index + 8, 20.0))
        for index, name in enumerate(("helmet", "cover", "unclear", "skin"))
    ]
    example = table.example(_picture(*objects), CATEGORIES)
    np.testing.assert_array_equal(example.boxes_xyxy, [[0, 5, 8, 20], [10, 5, 18, 20]])
    np.testing.assert_array_equal(example.admissible, [[1, 0, 0, 0, 0], [1, 0, 0, 0, 1]])
    np.testing.assert_array_equal(example.ignored_xyxy, [[20, 5, 28, 20]])
    np.testing.assert_array_equal(example.labelled, [1, 0, 0, 0, 0])


def test_what_the_source_ignores_and_what_is_not_asked_for_is_ignored() -> None:
    table = _table(helmet=LabelRule(is_=("hard_hat",)))
    crowd = AnnotatedObject("helmet", (1, 1, 9, 9), ignored=True)
    assert len(table.example(_picture(crowd), CATEGORIES).ignored_xyxy) == 1
    helmet = AnnotatedObject("helmet", (1, 1, 9, 9))
    example = table.example(_picture(helmet), ("person",))
    assert len(example.boxes_xyxy) == 0
    assert len(example.ignored_xyxy) == 1


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        ((10, 10, 50, 38), (10, 10, 50, 58)),  # the hat's own: grown downward
        ((10, 10, 50, 70), (10, 10, 50, 70)),  # high enough
        ((10, 70, 50, 90), (10, 70, 50, 100)),  # not beyond the picture
        ((10, 70, 50, 104), (10, 70, 50, 104)),  # cut by the picture already
    ],
)
def test_the_box_of_a_hat_grows_to_the_heads(box: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    table = _table(helmet=LabelRule(is_=("hard_hat",), least_height_by_width=1.2))
    polygon = np.array([[10, 10], [50, 10], [50, 38]], np.float32)
    x1, y1, x2, y2 = box
    example = table.example(_picture(AnnotatedObject("helmet", (x1, y1, x2, y2), (polygon,))), CATEGORIES)
    np.testing.assert_allclose(example.boxes_xyxy[0], wanted)
    np.testing.assert_array_equal(example.polygons[0][0], polygon)


def test_a_correction_replaces_the_rule_of_one_object() -> None:
    rules = SourceRules(
        labels={"hat": LabelRule(is_=("hat",))},
        labelled_where={"hat": ("hat",)},
        labelled_when_empty=("person",),
        not_exhaustive=frozenset({"b.webp"}),
        corrections={"a.webp": {1: LabelRule(is_=("hard_hat",))}},
    )
    table = LabelTable({"site": rules})
    hats = [AnnotatedObject("hat", (0, 0, 9, 9)), AnnotatedObject("hat", (20, 0, 29, 9))]
    example = table.example(_picture(*hats), CATEGORIES)
    np.testing.assert_array_equal(example.admissible, [[0, 0, 0, 0, 1], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(example.labelled, [0, 0, 0, 0, 1])
    other = table.example(_picture(*hats, name="b.webp"), CATEGORIES)
    assert not other.admissible[:, 0].any()
    assert not other.labelled.any()
    np.testing.assert_array_equal(table.example(_picture(), CATEGORIES).labelled, [0, 0, 1, 0, 0])


def test_unknown_words_are_errors() -> None:
    table = _table(helmet=LabelRule(is_=("hard_hat",)))
    with pytest.raises(TrainingError, match="elsewhere"):
        table.example(_picture(source="elsewhere"), CATEGORIES)
    with pytest.raises(TrainingError, match="turban"):
        table.example(_picture(AnnotatedObject("turban", (0, 0, 9, 9))), CATEGORIES)


@pytest.mark.parametrize(
    "content",
    [
        "sources: {a: {labels: {x: {is: [hat], ignored: true}}}}",
        "sources: {a: {labels: {x: {}}}}",
        "sources: {a: {labels: {x: {be: [hat]}}}}",
        "sources: {a: {labels: {}, labeled: [hat]}}",
        "sources: 3",
        "- 3",
        "{",
    ],
)
def test_a_wrong_table_is_an_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "table.yaml"
    file.write_text(content)
    with pytest.raises(TrainingError, match=r"table\.yaml"):
        read_label_table(file)


def test_the_table_speaks_of_known_categories_alone() -> None:
    for rules in read_label_table(TABLE).sources.values():
        corrected = [rule for by_index in rules.corrections.values() for rule in by_index.values()]
        named = {name for rule in [*rules.labels.values(), *corrected] for name in rule.is_}
        named |= {*rules.labelled, *rules.labelled_when_empty}
        named |= {name for names in rules.labelled_where.values() for name in names}
        assert named <= set(CATEGORIES)
        assert set(rules.labelled_where) <= set(rules.labels)


def test_the_table_knows_every_label_of_the_training_sets(shared_data: Path) -> None:
    table = read_label_table(TABLE)
    corrected = 0
    for name in (
        "hard_hats",
        "heads",
        "persons",
        "mask_hat_polygons",
        "hard_hat_polygons",
        "mask_skin_polygons",
        "faces",
    ):
        for picture in read_coco(shared_data / name / "train.json"):
            example = table.example(picture, CATEGORIES)
            assert len(example.boxes_xyxy) + len(example.ignored_xyxy) <= len(picture.objects)
            for index in table.sources[picture.source].corrections.get(picture.path.name, {}):
                assert picture.objects[index].category == "hat"
                corrected += 1
    listed = sum(len(rows) for rules in table.sources.values() for rows in rules.corrections.values())
    assert corrected == listed > 0
