"""What the classifier learns from, how it is treated, and a whole small training that can be interrupted."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.data.face_boxes import box_around_landmarks
from models.data.synthetic_gear.face_mask_looks import can_be_worn
from models.data.synthetic_gear.face_mask_templates import FACE_MASKS
from models.data.synthetic_gear.face_masks import FaceMaskWear
from models.errors import DataSetError, TrainingError
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.mask_state.network import KINDS, LOGITS, NOT_VISIBLE, MaskStateConfig
from models.training import mask_state_examples as examples
from models.training import mask_state_negatives as negatives
from models.training.mask_state import train_mask_state
from models.training.mask_state_augmentation import (
    BOX_TARGETS,
    AugmentationConfig,
    augmented_crop,
    plain_crops,
)
from models.training.mask_state_batches import sampling_weights, training_batches
from models.training.mask_state_cache import REACH, CropCache, build_cache, load_cache, save_cache
from models.training.mask_state_drawings import LOOKALIKES, Drawing, draw
from models.training.mask_state_drawn_faces import drawn_on
from models.training.mask_state_labels import UNKNOWN_KIND
from models.training.mask_state_recipe import MaskStateRecipe, read_mask_state_recipe

RECIPES = Path(__file__).resolve().parents[2] / "models" / "training" / "recipes"
GEOMETRY = CropGeometry(size_px=32)
COLOURS = {0: (60, 120, 200), 1: (210, 160, 130), 2: (90, 200, 90), NOT_VISIBLE: (40, 40, 40)}


def coloured_cache(folder: Path, *, per_label: int = 12) -> CropCache:
    """Pictures in which the colour of the square says the label; every fourth of a label is held out."""
    rng = np.random.default_rng(4)
    gathered = []
    for label, colour in COLOURS.items():
        for number in range(per_label):
            rgb = rng.integers(0, 60, (90, 110, 3)).astype(np.uint8)
            x, y, side = (int(value) for value in rng.integers((20, 15, 20), (50, 40, 40)))
            rgb[y : y + side, x : x + side] = colour
            file = folder / f"{label}_{number}.png"
            cv2.imwrite(str(file), rgb[..., ::-1])
            box = (float(x), float(y), float(x + side), float(y + side))
            gathered.append(
                examples.FaceExample(
                    file,
                    box,
                    label,
                    f"source{number % 2}",
                    held_out=number % 4 == 0,
                    kind=1 if label == 0 and number % 3 else UNKNOWN_KIND,
                )
            )
    return build_cache(gathered)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> CropCache:
    return coloured_cache(tmp_path_factory.mktemp("pictures"))


def test_a_cache_holds_the_surroundings_of_each_face_and_survives_a_file(
    cache: CropCache, tmp_path: Path
) -> None:
    for index in range(len(cache)):
        x1, y1, x2, y2 = (round(float(value)) for value in cache.boxes_xyxy[index])
        region = cache.region(index)
        assert (region[y1:y2, x1:x2] == COLOURS[int(cache.labels[index])]).all()
        assert max(region.shape) <= np.ceil((x2 - x1) * REACH) + 2
    save_cache(cache, tmp_path / "c.npz")
    again = load_cache(tmp_path / "c.npz")
    assert all((getattr(again, name) == getattr(cache, name)).all() for name in CropCache.__slots__)
    (tmp_path / "c.npz").write_bytes(b"PK no")
    for wrong in (tmp_path / "c.npz", tmp_path / "none.npz"):
        with pytest.raises(DataSetError):
            load_cache(wrong)


@given(
    st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    st.floats(0, 1),
    st.dictionaries(st.sampled_from(["source0", "source1"]), st.floats(0.1, 5)),
)
def test_samples_are_shared_among_labels_and_sources_as_asked(
    cache: CropCache, shares: list[float], power: float, factors: dict[str, float]
) -> None:
    weights = sampling_weights(cache, shares, power, factors)
    assert weights.sum() == pytest.approx(1)
    assert (weights[cache.held_out] == 0).all()
    assert (weights[~cache.held_out] > 0).all()
    for label, share in enumerate(shares):
        assert weights[cache.labels == label].sum() == pytest.approx(share / sum(shares))
        first, second = (
            weights[(cache.labels == label) & (cache.sources == source)] for source in ("source0", "source1")
        )
        counts = np.count_nonzero(first), np.count_nonzero(second)
        expected = (counts[0] / counts[1]) ** power * factors.get("source0", 1) / factors.get("source1", 1)
        assert first.sum() / second.sum() == pytest.approx(expected)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**31), index=st.integers(0, 40), hard=st.booleans())
def test_treated_crops_are_pictures_with_a_distribution_as_target(
    cache: CropCache, seed: int, index: int, hard: bool
) -> None:
    config = AugmentationConfig(
        low_resolution=float(hard), face_px=(3.0, 4.6) if hard else (30.0, 64.0), blur=0
    )
    crop, target = augmented_crop(
        cache.region(index),
        cache.boxes_xyxy[index],
        int(cache.labels[index]),
        int(cache.kinds[index]),
        geometry=GEOMETRY,
        config=config,
        rng=np.random.default_rng(seed),
    )
    assert crop.shape == (32, 32, 3)
    assert crop.dtype == np.uint8
    states, kinds = target[:LOGITS], target[LOGITS : BOX_TARGETS.start]
    assert states.sum() == pytest.approx(1)
    # nobody can tell from fewer than five pixels, everybody from twenty
    assert states.argmax() == (NOT_VISIBLE if hard else cache.labels[index])
    assert states.max() > 0.9
    known = cache.kinds[index] != UNKNOWN_KIND and not hard
    assert kinds.tolist() == ([0, 1, 0] if known else [0, 0, 0])


def test_plain_crops_show_the_face_in_the_middle(cache: CropCache) -> None:
    crops = plain_crops(cache, GEOMETRY, range(len(cache)))
    assert crops.shape == (len(cache), 32, 32, 3)
    for label, crop in zip(cache.labels, crops, strict=True):
        assert np.abs(crop[12:20, 12:20].astype(int) - COLOURS[int(label)]).max() <= 2
        assert np.abs(crop[0, 0].astype(int) - COLOURS[int(label)]).max() > 20 or label == NOT_VISIBLE


def test_batches_depend_on_the_seed_alone(cache: CropCache) -> None:
    def batches(seed: int, threads: int) -> list[NDArray[np.uint8]]:
        made = training_batches(
            cache,
            weights=sampling_weights(cache, (1, 1, 1, 1), 0.5, {}),
            geometry=GEOMETRY,
            augmentation=AugmentationConfig(),
            batch_size=6,
            steps=9,
            seed=seed,
            threads=threads,
        )
        return [crops for crops, _ in made]

    first = batches(1, 1)
    assert len(first) == 9
    assert all((one == other).all() for one, other in zip(first, batches(1, 3), strict=True))
    assert any((one != other).any() for one, other in zip(first, batches(2, 1), strict=True))


def recipe(**changes: object) -> MaskStateRecipe:
    return replace(
        MaskStateRecipe(
            source="a test",
            network=MaskStateConfig(size_px=32, dropout=0.0),
            crops=GEOMETRY,
            augmentation=AugmentationConfig(low_resolution=0, blur=0, occlusion=0, grey=0),
            rounds=2,
            steps_per_round=50,
            batch_size=16,
            label_shares=(0.25, 0.25, 0.25, 0.25),
            learning_rate=1e-2,
            warm_up_steps=5,
            average_decay=0.8,
        ),
        **changes,
    )


def test_a_training_learns(cache: CropCache, tmp_path: Path) -> None:
    best = train_mask_state(
        recipe(), tmp_path, training=cache, validation=cache, initial=None, report=lambda line: None
    )
    classifier = MaskStateClassifier(best, device="cpu")
    told = cache.labels != NOT_VISIBLE
    states = classifier.judge(plain_crops(cache, GEOMETRY, range(len(cache))))
    assert (states.probs.argmax(1) == cache.labels)[told].mean() > 0.9
    assert states.visibility[told].mean() > states.visibility[~told].mean() + 0.3


@pytest.mark.usefixtures("eagerly")
def test_an_interrupted_training_ends_the_same(cache: CropCache, tmp_path: Path) -> None:
    short = recipe(steps_per_round=2, warm_up_steps=0)
    lines: list[str] = []

    def train(out: Path, report: Callable[[str], None] = lines.append) -> Path:
        return train_mask_state(short, out, training=cache, validation=cache, initial=None, report=report)

    train(tmp_path / "whole")

    class StoppedError(Exception):
        pass

    def stop_after_first(line: str) -> None:
        if line.startswith("round 2"):
            raise StoppedError

    with pytest.raises(StoppedError):
        train(tmp_path / "halves", stop_after_first)
    resumed: list[str] = []
    train(tmp_path / "halves", resumed.append)
    assert resumed[0] == "continues after step 2"
    assert resumed[1:] == lines[1:]

    with pytest.raises(TrainingError, match="another recipe"):
        train_mask_state(recipe(seed=2), tmp_path / "whole", training=cache, validation=cache, initial=None)


def test_a_recipe_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    recipes = {path.stem: read_mask_state_recipe(path) for path in RECIPES.glob("mask_state*.yaml")}
    assert set(recipes) == {
        "mask_state",
        "mask_state_folders",
        "mask_state_document_002",
        "mask_state_document_003",
    }
    shipped = recipes["mask_state"]
    assert shipped.network.size_px == shipped.crops.size_px == 96
    assert shipped.network.kinds
    assert shipped.source_factors["heads/faceless"] > 1
    assert recipes["mask_state_folders"].sets
    assert recipes["mask_state_document_002"].network.hidden == 1024
    assert recipes["mask_state_document_002"].tuned_layers == 0
    path = tmp_path / "r.yaml"
    for text, message in (
        ("source: x\nepochs: 3", "unknown keys .*epochs"),
        ("source: x\nnetwork: {size_px: 64}", "do not fit"),
        ("source: x\ncrops: {wide: 64}", "unknown keys .*wide"),
        ("source: x\nrounds: 0", "at least 1"),
        ("source: x\ntuned_layers: -1", "tuned_layers"),
        ("source: x\nnetwork: {backbone: vgg}", "no backbone 'vgg'"),
        ("source: x\nsets: [faces]", "sets: expected keys"),
        ("source: x\nsets: [{path: a, faces: near}]", "found or whole"),
        ("source: x\nlabel_shares: [1, 1]", "label_shares"),
        ("rounds: 3", "source"),
        ("- 1", "expected keys"),
        ("a: [", "no YAML"),
    ):
        path.write_text(text)
        with pytest.raises(TrainingError, match=message):
            read_mask_state_recipe(path)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_mask_state_recipe(tmp_path / "none.yaml")


def coco(folder: Path, images: list[dict[str, object]], boxes: list[tuple[int, str, list[float]]]) -> None:
    names = sorted({name for _, name, _ in boxes})
    folder.mkdir(parents=True)
    content = {
        "images": images,
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [
            {"id": number, "image_id": image, "category_id": names.index(name), "bbox": box}
            for number, (image, name, box) in enumerate(boxes)
        ],
    }
    (folder / "train.json").write_text(json.dumps(content))


def test_groups_of_near_duplicates_are_held_out_whole(tmp_path: Path) -> None:
    images = [
        {"id": n, "file_name": f"{n}.png", "source": "s", "group": n // 4, "width": 99, "height": 99}
        for n in range(400)
    ]
    coco(tmp_path / "faces", images, [(n, "face_with_mask", [5.0, 6.0, 20.0, 30.0]) for n in range(400)])
    found = examples.labelled_faces(tmp_path, "train")
    assert len(found) == 400
    assert found[0].box_xyxy == (5.0, 6.0, 25.0, 36.0)
    held_out = np.array([face.held_out for face in found]).reshape(100, 4)
    assert (held_out.all(1) == held_out.any(1)).all()
    assert 2 <= held_out.any(1).sum() <= 25
    with pytest.raises(DataSetError):
        examples.labelled_faces(tmp_path, "val")


def test_heads_without_a_face_and_faces_without_a_head_are_not_visible(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.png", "source": "s", "width": 400, "height": 300}
    heads = [(1, "head", [10.0, 10.0, 40.0, 40.0]), (1, "head", [100.0, 10.0, 40.0, 40.0])]
    coco(tmp_path / "heads", [image], heads)
    landmarks = [0.0] * 10
    located = {
        "heads/a.png": [
            [15.0, 20.0, 45.0, 52.0, 0.9, *landmarks],
            [250.0, 200.0, 280.0, 240.0, 0.4, *landmarks],
            [120.0, 15.0, 125.0, 25.0, 0.01, *landmarks],
        ]
    }
    backs = negatives.faceless_heads(tmp_path, "heads", located, sources=["s"])
    assert [back.box_xyxy for back in backs] == [(100.0, 10.0, 140.0, 50.0)]
    alarms = negatives.false_alarms(tmp_path, "heads", located, sources=["s"], scores=(0.1, 1.0))
    assert [alarm.box_xyxy for alarm in alarms] == [(250.0, 200.0, 280.0, 240.0)]
    assert negatives.false_alarms(tmp_path, "heads", located, sources=["s"], scores=(0.1, 0.3)) == []
    ((head, face),) = negatives.found_on_heads(tmp_path, "heads", located, sources=["s"])
    assert (head.box_xyxy, face.box_xyxy) == ((10.0, 10.0, 50.0, 50.0), (15.0, 20.0, 45.0, 52.0))
    for square in negatives.backgrounds(tmp_path, "heads", per_image=50, seed=1, sources=["s"]):
        x1, y1, x2, y2 = square.box_xyxy
        assert 0 <= x1 < x2 <= 400
        assert 0 <= y1 < y2 <= 300
        assert x2 <= 10 or y2 <= 10 or y1 >= 50 or x1 >= 140 or (x1 >= 50 and x2 <= 100)
    assert {example.label for example in [*backs, *alarms, head, face]} == {NOT_VISIBLE}


def test_masks_and_lookalikes_are_drawn_on_faces_that_can_wear_them() -> None:
    points = ((40.0, 40.0), (60.0, 40.0), (50.0, 52.0), (42.0, 62.0), (58.0, 62.0))
    face = examples.FaceExample(Path("a"), (30.0, 25.0, 70.0, 75.0), 1, "s", landmarks_xy=points)
    profile = replace(face, landmarks_xy=((40.0, 40.0), (41.0, 40.0), *points[2:]))
    drawn = drawn_on([face] * 300 + [profile] * 50, seed=1, worn=0.3, wrong=0.2, lookalikes=0.2)
    by_label = {
        label: [one.drawing for one in drawn if one.label == label and one.drawing] for label in (0, 1, 2)
    }
    assert len(drawn) == sum(map(len, by_label.values()))
    assert [60 <= len(by_label[0]) <= 120, 35 <= len(by_label[1]) <= 90, 35 <= len(by_label[2]) <= 90] == [
        True
    ] * 3
    assert {drawing.wear for drawing in by_label[0]} == {FaceMaskWear.WORN}
    assert {drawing.wear for drawing in by_label[2]} == set(FaceMaskWear) - {FaceMaskWear.WORN}
    assert {drawing.what for drawing in by_label[1]} == set(LOOKALIKES)
    assert {one.kind for one in drawn} == {UNKNOWN_KIND, 0, 1, 2}
    for one in drawn:
        if one.drawing and one.label != 1:
            template = FACE_MASKS[one.drawing.what]
            assert template.kind == KINDS[one.kind]
            assert can_be_worn(template, one.drawing.wear)
    box = box_around_landmarks(np.array(points))
    assert all(box[0] < x < box[2] and box[1] < y < box[3] for x, y in points)


@pytest.mark.parametrize("what", [*LOOKALIKES, "surgical", "kn95", "cloth"])
def test_what_is_drawn_lies_on_the_face_and_is_the_same_again(what: str) -> None:
    points = ((80.0, 80.0), (120.0, 80.0), (100.0, 106.0), (84.0, 124.0), (116.0, 124.0))
    plain = np.full((200, 200, 3), 170, np.uint8)
    changed = [
        (draw(plain, Drawing(points, what, seed)).astype(int) - plain != 0).any(2) for seed in (1, 2, 3, 4, 5)
    ]
    again = draw(plain, Drawing(points, what, 5))
    assert (((again.astype(int) - plain) != 0).any(2) == changed[-1]).all()
    if what == "shade":
        assert all(change.any() and not change.all() for change in changed)
        return
    for change in changed:
        rows, columns = np.nonzero(change)
        assert len(rows) > 50
        assert 40 < rows.mean() < 170
        assert columns.mean() == pytest.approx(100, abs=6)
        # the eyes stay free
        assert not change[74:82, 84:116].any()
