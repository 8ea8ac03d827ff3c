"""Anchors found in boxes, and their way into a recipe."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.data import anchor_clusters as anchors
from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.recipe_edits import with_network_values, write_into_recipe
from models.errors import DataSetError
from models.mask_rcnn.config import MaskRcnnConfig


def around(middles, count=60, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    middles = np.repeat(np.array(middles, np.float64), count, axis=0)
    return middles * rng.normal(1, spread, middles.shape)


def test_clusters_that_are_there_are_found():
    middles = np.array([[10.0, 12.0], [20.0, 60.0], [90.0, 30.0], [100.0, 200.0]])
    clusters = anchors.cluster_boxes(around(middles), 4, seed=1)
    assert clusters.sides_wh == pytest.approx(middles, rel=0.05)
    assert clusters.counts.tolist() == [60] * 4
    assert clusters.mean_best_iou > 0.9


def test_overlap_not_distance_decides():
    # in pixels 100 is far nearer to 190 than to 30; by overlap too, yet 12 and 30 would never be told apart
    sides = np.array([[8.0, 8.0]] * 30 + [[24.0, 24.0]] * 30 + [[190.0, 190.0]] * 30 + [[200.0, 200.0]] * 30)
    clusters = anchors.cluster_boxes(sides, 3, seed=0)
    assert clusters.sides_wh[:2, 0].tolist() == [8.0, 24.0]


def test_the_seed_decides():
    sides = np.random.default_rng(0).uniform(5, 300, (200, 2))
    one, two = (anchors.cluster_boxes(sides, 6, seed=4) for _ in range(2))
    assert np.array_equal(one.sides_wh, two.sides_wh)
    assert one.mean_best_iou == pytest.approx(anchors.mean_best_iou(sides, one.sides_wh))


def test_boxes_at_the_networks_input():
    picture = AnnotatedPicture(
        Path("a"),
        (100, 200),
        (
            AnnotatedObject("hat", (-10, 0, 20, 10)),
            AnnotatedObject("hat", (0, 0, 50, 50), ignored=True),
            AnnotatedObject("hat", (0, 0, 0.5, 50)),
            AnnotatedObject("person", (100, 0, 200, 100)),
        ),
    )
    assert anchors.sides_at_input([picture], input_px=400).tolist() == [[40, 20], [1, 100], [200, 200]]
    assert anchors.sides_at_input([picture], input_px=200, categories=["person"]).tolist() == [[100, 100]]
    with pytest.raises(DataSetError, match="no boxes"):
        anchors.sides_at_input([picture], input_px=200, categories=["face"])


def test_fitted_anchors_are_those_that_made_the_boxes():
    scales, ratios = (12, 30, 60, 130, 300), (1.8, 1.0, 0.5)
    sides = around(anchors.anchor_sides(scales, ratios), spread=0.03)
    fitted = anchors.fit_anchors(sides, ratio_count=3, seed=2)
    assert fitted.scales_px == pytest.approx(scales, rel=0.05)
    assert fitted.ratios == pytest.approx(ratios, rel=0.08)
    assert fitted.mean_best_iou > 0.9
    MaskRcnnConfig(
        categories=("hat",), anchor_scales_px=fitted.scales_px, anchor_ratios=fitted.ratios
    )  # which checks them


def test_an_anchors_ratio_is_height_by_width():
    assert anchors.anchor_sides([10], [4]).tolist() == [[5, 20]]


def test_too_few_boxes():
    with pytest.raises(DataSetError, match="1 different boxes do not make 5 clusters"):
        anchors.fit_anchors(np.full((9, 2), 20.0), ratio_count=3, seed=0)


VALUES = {"anchor_scales_px": [8, 16.5, 32, 64, 128], "anchor_ratios": [1.5, 0.75]}

RECIPES = [
    "",
    "rounds: 3  # few",
    "network:\n",
    "network: ~\nrounds: 3\n",
    "network: {}\n",
    "# about\nnetwork: {backbone: resnet50, width: 0.5}  # small\nrounds: 3\n",
    "network:\n  # first\n  backbone: resnet50\n\n  width: 0.5 # half\n\n# then\nrounds: 3\n",
    "network:\n    anchor_ratios: [2, 1]  # old\n    backbone: x\n"
    "    anchor_scales_px:\n      - 1\n      - 2  # two\n\nrounds: 3",
    "{a: 1}  # about",
    "network:\n  anchor_scales_px:\n  - 1\n  - 2\n  backbone: x\n",
    "network: {anchor_scales_px: [1,\n  2], backbone: x}\nlast: [1, 2]\n",
]


@pytest.mark.parametrize("text", RECIPES)
def test_recipes_keep_everything_else(text):
    edited = with_network_values(text, VALUES)
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(edited)
    assert after.pop("network") == (before.pop("network", None) or {}) | VALUES
    assert after == before
    for comment in ("# about", "# small", "# first", "# half", "# then", "# few", "# old"):
        assert (comment in edited) == (comment in text)
    # a second time nothing is left to do
    assert with_network_values(edited, VALUES) == edited


@given(
    st.dictionaries(
        st.sampled_from(["a", "backbone", "network", "anchor_ratios"]),
        st.recursive(
            st.integers() | st.booleans() | st.none() | st.text("ab: #'\n-", max_size=6),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["anchor_ratios", "x"]), inner, max_size=2)
            ),
        ),
    ),
    st.booleans(),
)
def test_whatever_a_recipe_holds_it_stays(content, flow):
    text = yaml.safe_dump(content, default_flow_style=flow)
    if isinstance(content.get("network") or {}, dict):
        after = yaml.safe_load(with_network_values(text, VALUES))
        assert after == content | {"network": (content.get("network") or {}) | VALUES}
    else:
        with pytest.raises(yaml.YAMLError):
            with_network_values(text, VALUES)


@pytest.mark.parametrize("text", ["[1]", "network: [1]", "a: [", "network: *x", "\t", "text"])
def test_what_is_no_recipe_is_left_as_it_was(tmp_path, text):
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(DataSetError, match=r"r\.yaml: is no recipe") as caught:
        write_into_recipe(file, VALUES)
    assert "\n" not in str(caught.value)
    assert file.read_text() == text
    with pytest.raises(DataSetError, match="cannot be edited: No such file"):
        write_into_recipe(tmp_path / "absent.yaml", VALUES)
