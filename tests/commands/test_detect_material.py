"""What ``ppewatch detect`` looks at: which files, under which names, and which of their frames."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from made_material import write_clip

from models.errors import PictureError
from models.pictures import ArrayPicture
from models.structures import Detections
from streamer.detect.looking import detections_of
from streamer.detect.material import Look, Material, MaterialError, looks_of, material_of


def names_of(*sources: Path, **settings: Path) -> list[str]:
    return [material.name for material in material_of(sources, **settings)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/one.jpg", "a/deep/two.PNG", "a/clip.mp4", "a/notes.txt", "b/one.jpg", "b/deep/one.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folders_are_searched_to_the_bottom_by_name(tree):
    assert names_of(tree / "a") == ["clip.mp4", "deep/two.PNG", "one.jpg"]


def test_no_two_files_have_one_name_and_none_comes_twice(tree):
    assert names_of(tree / "a" / "one.jpg", tree / "b" / "one.jpg") == ["a/one.jpg", "b/one.jpg"]
    assert names_of(tree / "a", tree / "b") == [
        "clip.mp4",
        "deep/two.PNG",
        "a/one.jpg",
        "deep/one.jpg",
        "b/one.jpg",
    ]
    assert names_of(tree / "b" / "one.jpg", tree / "b" / "deep" / "one.jpg") == ["b/one.jpg", "deep/one.jpg"]
    assert names_of(tree / "a" / "one.jpg", tree / "a", tree / "a" / "one.jpg").count("one.jpg") == 1


def test_copies_of_an_earlier_run_are_not_looked_at(tree):
    assert names_of(tree / "b", but_below=tree / "b" / "deep") == ["one.jpg"]
    # a folder that is named is meant
    assert names_of(tree / "b" / "deep" / "one.jpg", but_below=tree / "b") == ["one.jpg"]


def test_folders_that_hold_nothing_and_names_that_are_nothing(tree):
    (tree / "empty").mkdir()
    for source, said in ((tree / "empty", "holds no pictures"), (tree / "x.jpg", "no such file")):
        with pytest.raises(MaterialError, match=said):
            material_of([tree / "a", source])


def test_a_picture_that_claims_too_many_pixels_is_refused_and_not_decoded(tmp_path):
    """A few bytes of PNG that would take gigabytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(PictureError, match=r"bomb\.png: is too large for a picture"):
        list(looks_of(Material("bomb.png", path)))


def test_every_nth_frame_keeps_its_number_and_time(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [np.full((64, 96, 3), 25 * n, np.uint8) for n in range(7)])
    looks = list(looks_of(Material("clip.mp4", path), every=3))
    assert [look.frame for look in looks] == [0, 3, 6]
    assert [look.at_s for look in looks] == pytest.approx([0, 0.6, 1.2])


def test_looks_are_taken_as_they_are_needed():
    """A clip of hours does not pile up: no more than one batch is read ahead."""
    read = 0

    class Nothing:
        """A detector that sees nothing; what is tested is who asks for frames, and when."""

        digests = MappingProxyType({})

        def detect(self, pictures, input_hw):
            return [Detections.empty(picture.image_hw) for picture in pictures]

        def warm_up(self, input_hw, batch_sizes):
            raise AssertionError("not asked for")

    def looks() -> Iterator[Look]:
        nonlocal read
        for number in range(40):
            read += 1
            size_hw = (32, 64) if number < 17 else (64, 32)
            yield Look("clip", number, float(number), ArrayPicture(np.zeros((*size_hw, 3), np.uint8)))

    frames = []
    for done, (look, seen) in enumerate(detections_of(looks(), Nothing(), longest_side_px=64)):
        assert read - done <= 5
        assert seen.image_hw == look.picture.image_hw
        frames.append(look.frame)
    assert frames == list(range(40))
