"""Canvases that RetinaFace learns from: faces lie where their boxes say, whatever is done to the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retinaface_training_builders import draw_set, example_of, faces_of

from models.evaluation.coco_faces import read_faces
from models.letterbox import FILL_RGB
from models.training.retinaface_augmentation import (
    LEAST_HEIGHT_PX,
    MIRRORED_LANDMARKS,
    change_light,
    draw_canvas,
    draw_tile,
)
from models.training.retinaface_examples import box_around, face_example


def test_tiles_show_their_faces_where_their_boxes_say(tmp_path: Path) -> None:
    canvas = np.full((300, 300, 3), 30, np.uint8)
    cv2.circle(canvas, (100, 150), 40, (255, 255, 255), -1)
    cv2.circle(canvas, (85, 140), 6, (0, 0, 255), -1)  # the left eye as seen, in BGR: red
    cv2.imwrite(str(tmp_path / "a.png"), canvas)
    box = np.array([[60, 110, 140, 190]], np.float32)
    points = np.array([[[85, 140], [115, 140], [100, 150], [90, 170], [110, 170]]], np.float32)
    example = example_of(tmp_path / "a.png", (300, 300), box, points)
    seen = mirrored = 0
    for seed in range(40):
        tile = draw_tile(example, np.random.default_rng(seed), 256, heights_px=(40, 120))
        if len(tile.boxes_xyxy) == 0 or tile.landmark_weights[0] == 0:
            continue
        seen += 1
        # the grey outside is darker than the disc; edges are soft by a pixel or two
        ys, xs = np.nonzero(tile.pixels[..., 0] > 200)
        found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(found, tile.boxes_xyxy[0], atol=2.5)
        red = (tile.pixels[..., 0] > 180) & (tile.pixels[..., 1] < 80)
        eye = np.argwhere(red).mean(axis=0)[::-1] + 0.5
        gaps = np.linalg.norm(tile.landmarks_xy[0] - eye, axis=1)
        assert gaps.min() < 2.5
        # after mirroring, the eye that was left is labelled as the right one
        mirrored += int(gaps.argmin() == MIRRORED_LANDMARKS[0])
        assert gaps.argmin() in (0, 1)
        eyes = tile.landmarks_xy[0, :2]
        assert eyes[0, 0] < eyes[1, 0] + 5
    assert seen > 15
    assert 0 < mirrored < seen


def test_enlarged_close_ups_lie_within_a_fraction_of_a_pixel(tmp_path: Path) -> None:
    pixels = np.full((80, 80, 3), FILL_RGB, np.uint8)
    pixels[30:50, 20:40] = 255
    box = np.array([[20, 30, 40, 50]], np.float32)
    points = np.tile(np.array([[30, 40]], np.float32), (1, 5, 1))
    example = example_of(tmp_path / "a.png", (80, 80), box, points)
    errors = []
    for seed in range(60):
        tile = draw_tile(
            example,
            np.random.default_rng(seed),
            224,
            heights_px=(50, 70),
            least_fill=0.5,
            most_scale=3.5,
            read=lambda path: pixels,
        )
        if len(tile.boxes_xyxy) and tile.landmark_weights[0]:
            light = tile.pixels.astype(np.float64).sum(axis=2) - sum(FILL_RGB)
            ys, xs = np.indices(light.shape) + 0.5
            centroid = np.array([(xs * light).sum(), (ys * light).sum()]) / light.sum()
            errors.append(tile.landmarks_xy[0, 0] - centroid)
    assert len(errors) > 30
    np.testing.assert_allclose(np.mean(errors, axis=0), 0, atol=0.1)
    assert np.abs(errors).max() < 0.5


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), smaller=st.sampled_from([1, 2]), close_up=st.booleans())
def test_boxes_and_landmarks_move_as_one(seed: int, smaller: int, close_up: bool) -> None:
    box = np.array([[60, 40, 140, 140]], np.float32)
    points = np.array([[[80, 70], [120, 72], [100, 90], [85, 115], [116, 118]]], np.float32)
    example = example_of(Path("a.png"), (200, 220), box, points)
    options = {"least_fill": 0.5, "most_scale": 3.5} if close_up else {}
    tile = draw_tile(
        example,
        np.random.default_rng(seed),
        128,
        heights_px=(20, 60),
        # from memory, at its own size or half of it
        read=lambda path: np.zeros((200 // smaller, 220 // smaller, 3), np.uint8),
        **options,
    )
    if not len(tile.boxes_xyxy) or tile.landmark_weights[0] == 0:
        return  # cut by the border
    # which of the points are which is what mirroring decides; then a turn, a scale and a shift are all there is
    given = points[0].astype(np.float64)
    moved = tile.landmarks_xy[0].astype(np.float64)
    ended = moved[1] - moved[0]
    given_or_mirrored = [given, (given * [-1, 1])[list(MIRRORED_LANDMARKS)]]
    fits = []
    for source in given_or_mirrored:
        begun = source[1] - source[0]
        turn = complex(*ended) / complex(*begun)
        expected = (source - source[0]) @ np.array([[turn.real, turn.imag], [-turn.imag, turn.real]]) + moved[
            0
        ]
        fits.append(np.abs(expected - moved).max())
    assert min(fits) < 1e-2
    source = given_or_mirrored[int(np.argmin(fits))]
    turn = complex(*ended) / complex(*(source[1] - source[0]))
    centre = np.array([100.0, 90.0]) * ([1, 1] if np.argmin(fits) == 0 else [-1, 1])
    around = (centre - source[0]) @ np.array([[turn.real, turn.imag], [-turn.imag, turn.real]]) + moved[0]
    if (tile.boxes_xyxy > 0).all() and (tile.boxes_xyxy < 128).all():
        np.testing.assert_allclose((tile.boxes_xyxy[0, :2] + tile.boxes_xyxy[0, 2:]) / 2, around, atol=0.05)
        # of the ellipse in 80 x 100: nothing swells beyond its longer axis
        sides = (tile.boxes_xyxy[0, 2:] - tile.boxes_xyxy[0, :2]) / abs(turn)
        assert (sides > 79.9).all()
        assert (sides < 100.1).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_close_ups_lie_in_tiles_of_their_own(seed: int) -> None:
    points = np.array([[34, 35], [47, 36], [40, 46], [34, 51], [45, 52]], np.float32)
    example = example_of(Path("a.png"), (80, 80), [box_around(points)], points)
    canvas = draw_canvas(
        lambda: example,
        np.random.default_rng(seed),
        128,
        close_ups=True,
        read=lambda path: np.full((80, 80, 3), 200, np.uint8),
    )
    assert canvas.pixels.shape == (128, 128, 3)
    middles = canvas.landmarks_xy[canvas.landmark_weights > 0].mean(axis=1)
    for tile_px, most in ((64, 4), (32, 16)):
        places = {tuple((middle // tile_px).astype(int)) for middle in middles}
        if len(places) == len(middles):
            assert len(middles) <= most
            break
    else:
        raise AssertionError("two close-ups share a tile")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_canvases_are_sound_and_repeatable(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "canvases"
    file = folder / "set.json" if (folder / "set.json").exists() else draw_set(folder)
    examples = [face_example(picture, faces_of(), exhaustive=True) for picture in read_faces(file)]
    one, other = (
        draw_canvas(lambda: examples[seed % len(examples)], np.random.default_rng(seed), 128) for _ in "ab"
    )
    assert one.pixels.shape == (128, 128, 3)
    assert one.pixels.dtype == np.uint8
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
    for boxes in (one.boxes_xyxy, one.ignored_xyxy):
        assert (boxes >= 0).all()
        assert (boxes <= 128).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (one.boxes_xyxy[:, 3] - one.boxes_xyxy[:, 1] >= LEAST_HEIGHT_PX - 1e-3).all()
    assert len(one.boxes_xyxy) == len(one.landmarks_xy) == len(one.landmark_weights) == len(one.box_weights)


def test_light_changes_but_stays_a_picture() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    changed = [change_light(grey, np.random.default_rng(seed)) for seed in range(60)]
    assert all(image.shape == grey.shape and image.dtype == np.uint8 for image in changed)
    means = np.array([image.mean() for image in changed])
    assert means.std() > 10
    assert 60 < means.mean() < 200
