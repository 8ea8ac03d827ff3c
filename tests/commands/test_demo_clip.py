"""The stored clip is the one that its maker makes, and holds what it says."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamer.demo.figure import cut_out, second_person
from streamer.demo.make_clip import DURATION_S, FPS, ClipPictures, Walk, choreography, write_clip
from streamer.demo.scene import COUNTER_Y, SCENE_HW
from streamer.demo.site import CLIP


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image, from which the clip is made")
    return np.asarray(data.astronaut(), np.uint8)


@pytest.fixture(scope="module")
def pictures(portrait: np.ndarray) -> ClipPictures:
    return ClipPictures(portrait)


def stored_pictures(indices: set[int]) -> dict[int, np.ndarray]:
    with av.open(str(CLIP)) as container:
        frames = enumerate(container.decode(video=0))
        return {index: frame.to_ndarray(format="rgb24") for index, frame in frames if index in indices}


def test_the_clip_is_small_plain_h264_and_seekable() -> None:
    assert CLIP.stat().st_size < 700_000
    with av.open(str(CLIP)) as container:
        assert len(container.streams) == 1
        (stream,) = container.streams.video
        assert (stream.codec_context.name, stream.format.name) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == SCENE_HW
        assert stream.average_rate == Fraction(FPS)
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert len(packets) == DURATION_S * FPS
    keyframes = [index for index, packet in enumerate(packets) if packet.is_keyframe]
    assert keyframes[0] == 0
    assert max(np.diff([*keyframes, len(packets)])) <= 2 * FPS


def test_the_stored_pictures_are_those_that_are_drawn(pictures: ClipPictures) -> None:
    indices = {0, 80, 130, 250}
    for index, stored in stored_pictures(indices).items():
        assert cv2.PSNR(stored, pictures.picture(index)) > 33, index


def test_encoding_twice_gives_the_same_bytes(
    portrait: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.demo.make_clip.DURATION_S", 2.0)
    files = [tmp_path / name for name in ("one.mp4", "two.mp4")]
    for file in files:
        write_clip(file, portrait)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_scene_begins_and_ends_empty(pictures: ClipPictures) -> None:
    first = pictures.picture(0).astype(np.int16)
    last = pictures.picture(len(pictures) - 1).astype(np.int16)
    assert np.abs(first - last).max() < 12, "a loop would show a jump"


def face_height_px(walk: Walk, at_s: float) -> float:
    """About what a face detector's box spans: 111 rows of the portrait."""
    pose = walk.pose(at_s)
    assert pose is not None
    return 111 * pose[1]


def test_who_wears_what_when(portrait: np.ndarray) -> None:
    respirator, surgical, bare = choreography(portrait)
    assert bare.mask_position(8.0) == (200.0, 0.0)
    lowered = [bare.mask_position(8.5 + tenth / 10)[0] for tenth in range(1, 12)]
    assert lowered == sorted(lowered, reverse=True)
    assert lowered[-1] == 0
    for walk in (respirator, surgical):
        assert {walk.mask_position(at) for at in (0.0, 8.0, 25.0)} == {(0.0, 1.0)}
    # one without and one with a face mask are in the picture at the same time, and then nobody
    for at in (6.0, 8.0):
        assert bare.pose(at) is not None
        assert respirator.pose(at) is not None
    assert all(walk.pose(16.0) is None for walk in (respirator, surgical, bare))
    for walk in (respirator, surgical, bare):
        start, end = walk.keys[0][0], walk.keys[-1][0]
        heights = [face_height_px(walk, at) for at in np.linspace(start, end, 30)]
        assert 60 <= min(heights) <= max(heights) <= 120


def test_people_stand_behind_the_counter_and_never_float(pictures: ClipPictures) -> None:
    for index in (40, 80, 150, 230):
        picture = pictures.picture(index).astype(np.int16)
        empty = pictures.picture(0).astype(np.int16)
        changed = np.abs(picture - empty).max(axis=-1) > 40
        assert changed[COUNTER_Y - 6 : COUNTER_Y - 2].any(), index
        assert not changed[COUNTER_Y + 4 :].any(), index


def test_the_cut_out_keeps_the_face_and_drops_the_background(portrait: np.ndarray) -> None:
    figure = cut_out(portrait)
    columns, rows = figure.landmarks_xy.astype(int).T
    assert (figure.alpha[rows, columns] > 0.99).all()
    for x, y in ((20, 20), (430, 120), (60, 150), (330, 60), (440, 300)):
        assert figure.alpha[y, x] < 0.01
    assert not figure.hair[rows, columns].any()
    assert figure.hair[40, 230]
    other = second_person(figure)
    assert (other.alpha[rows, 511 - columns] > 0.99).all()
    # the viewer's left eye stays the first
    assert (np.diff(other.landmarks_xy[[0, 1], 0]) > 0).all()
    face = other.rgb[120:130, 270:300].astype(float).mean(axis=(0, 1))
    suit = other.rgb[300:320, 330:345].astype(float).mean(axis=(0, 1))
    assert face[0] > face[2]
    assert suit[2] > suit[0]
    with pytest.raises(ValueError, match="512"):
        cut_out(portrait[:100])
