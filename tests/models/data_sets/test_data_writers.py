"""What is written is read again, as far as the format can hold it."""

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import labelled_sets as sets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.outlines import box_around
from models.data.readers import detect_format, read_pictures
from models.data.readers.labelled import with_labelled
from models.data.writers import FORMATS, write_coco_parts, write_data_set
from models.errors import DataSetError

HEIGHT, WIDTH = sets.IMAGE_HW
WORDS = st.text("abc_é& <", min_size=1, max_size=5).filter(lambda word: word.strip() == word)
CATEGORIES = st.sampled_from(["hard_hat", "face mask", "tête", "<b>"])


def coordinate(side, margin=0):
    return st.floats(-margin, side + margin, width=32)


@st.composite
def polygons(draw):
    """A triangle or more, of more than a pixel."""
    corners = draw(
        st.lists(st.tuples(coordinate(WIDTH), coordinate(HEIGHT)), min_size=3, max_size=6).filter(
            lambda corners: (np.ptp(np.array(corners), axis=0) > 1).all()
        )
    )
    return np.array(corners, np.float32)


@st.composite
def objects(draw):
    outlines = tuple(draw(st.lists(polygons(), max_size=2)))
    x, y = draw(coordinate(WIDTH - 4)), draw(coordinate(HEIGHT - 4))
    width, height = draw(st.floats(2, 30, width=32)), draw(st.floats(2, 30, width=32))
    return AnnotatedObject(
        category=draw(CATEGORIES),
        box_xyxy=box_around(outlines) if outlines else (x, y, x + width, y + height),
        polygons=outlines,
        ignored=draw(st.booleans()),
        attributes=draw(st.dictionaries(st.sampled_from(["wear", "colour"]), WORDS, max_size=2)),
    )


@st.composite
def labelled_pictures(draw):
    """Three pictures without files; ``on`` gives them some."""
    empty_or_words = st.just("") | WORDS
    return [
        AnnotatedPicture(
            path=Path(name),
            image_hw=sets.IMAGE_HW,
            objects=tuple(draw(st.lists(objects(), max_size=3))),
            labelled=draw(st.frozensets(CATEGORIES)),
            source=draw(empty_or_words),
            group=draw(empty_or_words),
            camera=draw(empty_or_words),
            image_label=draw(empty_or_words),
        )
        for name in ("a.png", "deep/a.png", "deep/a.webp")
    ]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for number, name in enumerate(("a.png", "deep/a.png", "deep/a.webp")):
        sets.draw(folder / name, number)
    return folder


def written_and_read(pictures, originals, file_format):
    on_disk = [replace(picture, path=originals / picture.path) for picture in pictures]
    with tempfile.TemporaryDirectory() as name:
        target = write_data_set(on_disk, Path(name) / "set", file_format, placing="link")
        assert detect_format(target) == file_format
        again = read_pictures(target)
        contents = [picture.path.read_bytes() for picture in again]
    assert sorted(contents) == sorted(picture.path.read_bytes() for picture in on_disk)
    order = [contents.index(picture.path.read_bytes()) for picture in on_disk]
    return [again[index] for index in order]


def boxes_of(things):
    return np.array([thing.box_xyxy for thing in things]).reshape(-1, 4)


def assert_same_polygons(things, others):
    for thing, other in zip(things, others, strict=True):
        for one, two in itertools.zip_longest(thing.polygons, other.polygons):
            assert np.array_equal(one, two)


EXAMPLES = settings(max_examples=25)


@given(pictures=labelled_pictures())
@EXAMPLES
def test_coco_keeps_everything(originals, pictures):
    for before, after in zip(pictures, written_and_read(pictures, originals, "coco"), strict=True):
        for name in ("image_hw", "labelled", "source", "group", "camera", "image_label"):
            assert getattr(before, name) == getattr(after, name)
        for thing, other in zip(before.objects, after.objects, strict=True):
            assert (thing.category, thing.ignored) == (other.category, other.ignored)
            assert dict(thing.attributes) == dict(other.attributes)
        assert boxes_of(after.objects) == pytest.approx(boxes_of(before.objects), abs=1e-4)
        assert_same_polygons(before.objects, after.objects)


@given(pictures=labelled_pictures())
@EXAMPLES
def test_via_keeps_everything(originals, pictures):
    for before, after in zip(pictures, written_and_read(pictures, originals, "via"), strict=True):
        for name in ("image_hw", "labelled", "source", "group", "camera", "image_label"):
            assert getattr(before, name) == getattr(after, name)
        for thing, other in zip(before.objects, after.objects, strict=True):
            assert (thing.category, thing.ignored) == (other.category, other.ignored)
            assert dict(thing.attributes) == dict(other.attributes)
        assert boxes_of(after.objects) == pytest.approx(boxes_of(before.objects), abs=1e-4)
        assert_same_polygons(before.objects, after.objects)


@given(pictures=labelled_pictures())
@EXAMPLES
def test_voc_keeps_boxes_to_the_pixel(originals, pictures):
    for before, after in zip(pictures, written_and_read(pictures, originals, "voc"), strict=True):
        assert (before.image_hw, before.source) == (after.image_hw, after.source)
        names = [(thing.category, thing.ignored) for thing in before.objects]
        assert [(thing.category, thing.ignored) for thing in after.objects] == names
        cut = boxes_of(before.objects).clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        assert boxes_of(after.objects) == pytest.approx(cut, abs=0.5)


@given(pictures=labelled_pictures())
@EXAMPLES
def test_yolo_keeps_boxes_and_outlines(originals, pictures):
    for before, after in zip(pictures, written_and_read(pictures, originals, "yolo"), strict=True):
        things = [thing for thing in before.objects if not thing.ignored]
        assert [thing.category for thing in after.objects] == [thing.category for thing in things]
        cut = boxes_of(things).clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        assert boxes_of(after.objects) == pytest.approx(cut, abs=1e-4)
        for thing, other in zip(things, after.objects, strict=True):
            if len(thing.polygons) == 1 and other.polygons:
                assert other.polygons[0] == pytest.approx(thing.polygons[0], abs=1e-4)


def test_yolo_joins_the_parts_of_an_object_without_adding_area(originals):
    corners = [
        np.array([[x, y], [x + 9, y], [x + 9, y + 7], [x, y + 6]], np.float32)
        for x, y in ((3, 4), (50, 40), (20, 9))
    ]
    thing = AnnotatedObject("hat", box_around(corners), tuple(corners))
    picture = AnnotatedPicture(Path("a.png"), sets.IMAGE_HW, (thing,))
    (after,) = written_and_read([picture], originals, "yolo")
    (joined,) = after.objects[0].polygons
    assert cv2.contourArea(joined) == pytest.approx(sum(map(cv2.contourArea, corners)), abs=1e-3)
    pixels = cv2.fillPoly(np.zeros(sets.IMAGE_HW, np.uint8), [joined.astype(np.int32)], 1)
    # the joining lines are one pixel wide when drawn, and gone when opened
    kept = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    assert cv2.connectedComponents(kept)[0] == 1 + len(corners)


def test_pictures_that_are_there_already_stay(tmp_path):
    pictures = read_pictures(sets.write_coco(tmp_path))
    files = write_coco_parts({"one": pictures[:1], "two": pictures[1:]}, tmp_path)
    assert [file.name for file in files] == ["one.json", "two.json"]
    again = [picture for file in files for picture in read_pictures(file)]
    assert [picture.path for picture in again] == [picture.path for picture in pictures]
    assert not (tmp_path / "images" / "images").exists()
    with pytest.raises(DataSetError, match=r"two\.json: exists already"):
        write_coco_parts({"two": pictures}, tmp_path)


def test_copies_do_not_need_the_originals(tmp_path):
    source = tmp_path / "source"
    pictures = read_pictures(sets.write_coco(source))
    target = write_data_set(pictures, tmp_path / "new", "via")
    for picture in pictures:
        picture.path.unlink()
    assert len(read_pictures(target)) == 3


def test_a_picture_that_comes_twice_is_refused(tmp_path):
    pictures = read_pictures(sets.write_coco(tmp_path / "a"))
    with pytest.raises(DataSetError, match="comes twice"):
        write_data_set([*pictures, pictures[0]], tmp_path / "b", "yolo")


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_is_there_is_not_overwritten(tmp_path, file_format):
    pictures = read_pictures(sets.write_coco(tmp_path / "a"))
    write_data_set(pictures, tmp_path / "b", file_format)
    with pytest.raises(DataSetError, match="exists already"):
        write_data_set(pictures, tmp_path / "b", file_format)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_set_without_pictures_is_written_too(tmp_path, file_format):
    assert write_data_set([], tmp_path / "new", file_format).exists()


def test_categories_with_commas_are_not_for_via(tmp_path):
    pictures = with_labelled(read_pictures(sets.write_coco(tmp_path / "a")), {"plant": frozenset({"a,b"})})
    with pytest.raises(DataSetError, match="comma"):
        write_data_set(pictures, tmp_path / "b", "via")


def test_shared_polygons_survive_via(shared_data, tmp_path):
    pictures = read_pictures(shared_data / "mask_hat_polygons" / "val.json")
    there = read_pictures(write_data_set(pictures, tmp_path / "via", "via", placing="link"))
    back = read_pictures(write_data_set(there, tmp_path / "coco", "coco", placing="link"))
    assert len(back) == len(pictures) == 44
    for before, between, after in zip(pictures, there, back, strict=True):
        assert before.image_hw == between.image_hw == after.image_hw
        assert before.source == after.source
        assert before.labelled == after.labelled
        assert [thing.category for thing in before.objects] == [thing.category for thing in after.objects]
        assert_same_polygons(before.objects, between.objects)
        assert_same_polygons(before.objects, after.objects)
        assert boxes_of(after.objects) == pytest.approx(boxes_of(before.objects), abs=0.06)
