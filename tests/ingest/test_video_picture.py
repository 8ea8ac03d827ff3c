"""Pixels of decoded frames: colours, sizes, crops, turns, and several threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_clips import picture

from models.errors import PictureError
from models.pictures import crop_with_border, resized
from streamer.ingest.video_picture import VideoPicture

#: Kr and Kb of the conversion matrices, ITU-R BT.601-7 and BT.709-6.
MATRICES = {5: (0.299, 0.114), 6: (0.299, 0.114), 1: (0.2126, 0.0722)}
LIMITED, FULL, UNDECLARED = 1, 2, 0
RED, GREEN, SKIN, GREY = (255, 0, 0), (0, 255, 0), (224, 172, 145), (90, 90, 90)


def yuv_of(rgb: tuple[int, int, int], matrix: int, colour_range: int) -> tuple[int, int, int]:
    """Y'CbCr code values of an RGB colour after the equations of BT.601 and BT.709."""
    kr, kb = MATRICES[matrix]
    red, green, blue = (value / 255 for value in rgb)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)
    if colour_range == FULL:
        return round(255 * luma), min(255, round(128 + 255 * cb)), min(255, round(128 + 255 * cr))
    return round(16 + 219 * luma), round(128 + 224 * cb), round(128 + 224 * cr)


def plain(
    yuv: tuple[int, int, int], *, size_hw: tuple[int, int] = (64, 64), pixel_format: str = "yuv420p"
) -> av.VideoFrame:
    frame = av.VideoFrame(size_hw[1], size_hw[0], pixel_format)
    for plane, value in zip(frame.planes, yuv, strict=True):
        np.frombuffer(plane, np.uint8)[:] = value
    return frame


def noise(size_hw: tuple[int, int], pixel_format: str, seed: int) -> av.VideoFrame:
    rng = np.random.default_rng(seed)
    frame = av.VideoFrame(size_hw[1], size_hw[0], pixel_format)
    for plane in frame.planes:
        values = np.frombuffer(plane, np.uint8)
        values[:] = rng.integers(0, 256, values.shape, dtype=np.uint8)
    return frame


@pytest.mark.parametrize("colour", [RED, GREEN, SKIN, GREY])
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [1, 5, 6])
@pytest.mark.parametrize("size_hw", [None, (24, 40)])
def test_declared_matrix_and_range_are_respected(
    matrix: int, colour_range: int, colour: tuple[int, int, int], size_hw: tuple[int, int] | None
) -> None:
    frame = plain(yuv_of(colour, matrix, colour_range))
    frame.colorspace, frame.color_range = matrix, colour_range
    result = VideoPicture(frame).rgb(size_hw)
    assert np.abs(result.reshape(-1, 3).astype(int) - colour).max() <= 4


def test_undeclared_streams_are_taken_as_players_take_them() -> None:
    small = VideoPicture(plain(yuv_of(RED, 5, LIMITED), size_hw=(480, 640)))
    large = VideoPicture(plain(yuv_of(RED, 1, LIMITED), size_hw=(720, 1280)))
    for each in (small, large):
        assert np.abs(each.rgb()[5, 5].astype(int) - RED).max() <= 4
        assert np.abs(each.crop_rgb((2, 2, 9, 9))[0, 0].astype(int) - RED).max() <= 4
    jpeg = VideoPicture(plain(yuv_of(SKIN, 5, FULL), pixel_format="yuvj420p"))
    assert np.abs(jpeg.rgb()[5, 5].astype(int) - SKIN).max() <= 4


def test_a_frame_with_nonsense_in_its_header_is_still_a_picture() -> None:
    frame = plain(yuv_of(GREY, 5, LIMITED))
    frame.colorspace, frame.color_trc, frame.color_primaries = 14, 3, 3
    assert np.abs(VideoPicture(frame).rgb((32, 32))[3, 3].astype(int) - GREY).max() <= 4


@settings(deadline=None)
@given(
    size_hw=st.tuples(st.integers(17, 90), st.integers(17, 90)),
    pixel_format=st.sampled_from(
        ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "gray", "nv12", "yuv420p10le"]
    ),
    turns=st.integers(0, 3),
    corner=st.tuples(st.integers(-30, 100), st.integers(-30, 100)),
    extent=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 1000),
)
def test_a_crop_is_the_same_as_cutting_it_out_of_the_whole(
    size_hw: tuple[int, int],
    pixel_format: str,
    turns: int,
    corner: tuple[int, int],
    extent: tuple[int, int],
    seed: int,
) -> None:
    each = VideoPicture(noise(size_hw, pixel_format, seed))
    each._turns = turns  # PyAV cannot write the side data that a file's rotation comes in
    box = corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1]
    crop = each.crop_rgb(box)
    assert crop.shape == (extent[1], extent[0], 3)
    assert np.array_equal(crop, crop_with_border(each.rgb(), box))
    assert not crop.flags.writeable


def test_scaling_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    frame = av.VideoFrame.from_ndarray(stripes, format="rgb24").reformat(format="yuv444p")
    small = VideoPicture(frame).rgb((16, 16))
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() < 25


def test_results_are_read_only_and_a_modest_size_is_kept() -> None:
    each = VideoPicture(av.VideoFrame.from_ndarray(picture(3), format="rgb24").reformat(format="yuv420p"))
    first = each.rgb((60, 80))
    assert each.rgb((60, 80)) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1
    assert each.rgb().flags.c_contiguous
    assert each.image_hw == (120, 160)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (5, 9, 9, 5)])
def test_an_empty_crop_and_an_empty_size_are_refused(box: tuple[int, int, int, int]) -> None:
    each = VideoPicture(plain((90, 128, 128)))
    with pytest.raises(PictureError):
        each.crop_rgb(box)
    with pytest.raises(PictureError):
        each.rgb((0, 10))


def test_many_threads_may_ask_one_picture() -> None:
    frame = plain(yuv_of(RED, 1, LIMITED), size_hw=(180, 320))
    frame.colorspace, frame.color_range = 1, LIMITED
    each = VideoPicture(frame)
    sizes = [(90, 160), (45, 80), (180, 320), (60, 100)]

    def ask(number: int) -> int:
        whole = each.rgb(sizes[number % 4])
        crop = each.crop_rgb((number % 50, 3, number % 50 + 20, 30))
        return max(np.abs(part.reshape(-1, 3).astype(int) - RED).max() for part in (whole, crop))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(ask, range(400))) <= 4


def test_a_real_stream_keeps_its_colours(tmp_path: Path) -> None:
    """RGB to H.264 tagged as BT.709 and back; the matrix of the encoder side is libswscale's."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.options = {"crf": "8"}
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, LIMITED
        rgb = av.VideoFrame.from_ndarray(picture(0), format="rgb24")
        yuv = rgb.reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        yuv.pts = 0
        container.mux(stream.encode(yuv))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        decoded = next(container.decode(video=0))
        assert decoded.colorspace == 1
        result = VideoPicture(decoded).rgb()
    assert np.abs(result.astype(int) - picture(0)).mean() < 3


@pytest.mark.parametrize("turns", [0, 90, 180, 270])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12", "yuv422p"])
@pytest.mark.parametrize("box", [(16, 24, 80, 72), (15, 23, 79, 71), (0, 0, 96, 96)])
def test_a_part_scaled_is_the_part_of_the_whole_scaled(box, pixel_format: str, turns: int) -> None:
    smooth = np.kron(np.random.default_rng(3).integers(60, 200, (6, 6, 3)), np.ones((16, 16, 1))).astype(
        np.uint8
    )
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format=pixel_format)
    whole = VideoPicture(frame)
    whole._turns = turns // 90
    for size_hw in ((24, 32), (60, 60), (100, 130)):
        part = whole.part_rgb(box, size_hw)
        x1, y1, x2, y2 = box
        expected = resized(np.ascontiguousarray(whole.rgb()[y1:y2, x1:x2]), size_hw)
        assert part.shape == (*size_hw, 3)
        assert not part.flags.writeable
        differs = np.abs(part.astype(int) - expected)
        assert np.median(differs) <= 2, "edges between colours aside"
        assert differs.mean() < 6
    with pytest.raises(PictureError, match="no part"):
        whole.part_rgb((50, 50, 120, 80), (10, 10))
    with pytest.raises(PictureError):
        whole.part_rgb(box, (0, 10))
