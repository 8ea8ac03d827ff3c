"""Every format is read as its tools write it."""

import copy
import math
from pathlib import Path

import cv2
import labelled_sets as sets
import numpy as np
import pytest

from models.data.readers import (
    detect_format,
    read_coco,
    read_folders,
    read_pictures,
    read_via,
    read_voc,
    read_yolo,
)
from models.data.readers.labelled import with_labelled
from models.errors import DataSetError


def test_coco(tmp_path):
    first, second, third = read_coco(sets.write_coco(tmp_path))
    assert (first.path, first.image_hw) == (tmp_path / "images/a.png", (60, 80))
    assert (first.source, first.group, first.camera, first.image_label) == ("plant", "7", "c1", "")
    (hat,) = first.objects  # the person without area is left out
    assert (hat.category, hat.box_xyxy, hat.ignored) == ("hard_hat", (10, 20, 40.5, 30), False)
    assert dict(hat.attributes) == {"colour": "red", "worn": "true"}
    (triangle,) = hat.polygons  # and so is the polygon of two corners
    assert triangle.dtype == np.float32
    assert triangle.tolist() == [[10, 20], [40.5, 20], [40.5, 30]]
    assert first.labelled == {"hard_hat", "person"}
    (crowd,) = second.objects
    assert crowd.ignored
    assert dict(crowd.attributes) == {"wear": "with_mask"}
    assert sorted(crowd.polygons[0].tolist()) == [[1, 0], [1, 60], [3, 0], [3, 60]]
    assert second.labelled == {"person"}
    assert (third.image_label, third.labelled) == ("cloth", frozenset())


def test_a_coco_box_that_is_absent_is_that_of_the_polygons(tmp_path):
    document = sets.coco_document()
    del document["annotations"][0]["bbox"]
    assert read_coco(sets.write_coco(tmp_path, document))[0].objects[0].box_xyxy == (10, 20, 40.5, 30)


def test_coco_pictures_elsewhere(tmp_path):
    sets.write_coco(tmp_path)
    labels = sets.write_json(tmp_path / "annotations" / "train.json", sets.coco_document())
    assert all(picture.path.is_file() for picture in read_pictures(labels, images=tmp_path))


def test_what_is_labelled_can_be_said(tmp_path):
    pictures = read_coco(sets.write_coco(tmp_path))
    shown = with_labelled(pictures, "present")
    assert [picture.labelled for picture in shown] == [{"hard_hat"}, frozenset(), frozenset()]
    told = with_labelled(pictures, {"plant": frozenset({"person"})})
    assert [picture.labelled for picture in told] == [{"person"}, {"person"}, frozenset()]
    with pytest.raises(DataSetError, match="no source 'mine'"):
        with_labelled(pictures, {"mine": frozenset()})


def shapes_of(picture):
    return [(thing.category, thing.box_xyxy, len(thing.polygons)) for thing in picture.objects]


def test_via(tmp_path):
    first, second = read_via(sets.write_via(tmp_path))
    assert (first.path, first.image_hw, first.source) == (tmp_path / "a.png", (60, 80), "yard")
    assert [(thing.category, len(thing.polygons)) for thing in first.objects] == [
        ("hat", 1),
        ("face_mask", 0),
        ("hat", 1),
        ("hat", 1),
        ("hat", 1),
    ]
    polygon, rect, circle, ellipse, _ = first.objects
    assert polygon.polygons[0].tolist() == [[1, 2], [9.5, 2], [9, 8]]
    assert rect.box_xyxy == (10, 20, 40, 25)
    assert circle.box_xyxy == pytest.approx((30, 20, 50, 40), abs=1e-4)
    # it stands upright: turned by a quarter
    assert ellipse.box_xyxy == pytest.approx((35, 10, 45, 50), abs=1e-4)
    assert cv2.contourArea(ellipse.polygons[0]) == pytest.approx(math.pi * 20 * 5, rel=0.002)
    assert second.objects == ()
    assert second.labelled == {"hat", "face_mask"}


def test_a_turned_ellipse_turns_as_it_does_on_the_screen(tmp_path):
    document = sets.via_document()
    shape = {"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 1, "theta": math.pi / 6}
    document["a.png123"]["regions"] = [{"shape_attributes": shape, "region_attributes": {"name": "hat"}}]
    (ellipse,) = read_via(sets.write_via(tmp_path, document))[0].objects
    tip = ellipse.polygons[0][0]
    # y grows downwards: clockwise for whoever looks at it
    assert tip == pytest.approx([40 + 20 * math.cos(math.pi / 6), 30 + 20 * 0.5], abs=1e-4)


def test_via_1_and_projects(tmp_path):
    document = sets.via_document()
    as_list = shapes_of(read_via(sets.write_via(tmp_path, document))[0])
    for row in document.values():
        row["regions"] = {str(index): region for index, region in enumerate(row["regions"])}
    assert shapes_of(read_via(sets.write_via(tmp_path, document))[0]) == as_list
    project = {"_via_settings": {}, "_via_img_metadata": document, "_via_attributes": {}}
    assert shapes_of(read_via(sets.write_via(tmp_path, project))[0]) == as_list


def test_the_attribute_that_is_the_category(tmp_path):
    document = sets.via_document()
    regions = document["a.png123"]["regions"]
    for region in regions:
        region["region_attributes"]["colour"] = "red"
    file = sets.write_via(tmp_path, document)
    with pytest.raises(DataSetError, match=r"\['colour', 'name'\]: say which is the category"):
        read_via(file)
    assert {thing.category for thing in read_via(file, attribute="colour")[0].objects} == {"red"}
    first = read_via(file, attribute="name")[0].objects[0]
    assert (first.category, dict(first.attributes)) == ("hat", {"colour": "red"})
    regions[0]["region_attributes"]["name"] = ""
    file = sets.write_via(tmp_path, document)
    with pytest.raises(DataSetError, match=r"a\.png123\.regions\[0\] has no 'name'"):
        read_via(file, attribute="name")
    assert read_via(file, attribute="name", category="thing")[0].objects[0].category == "thing"
    regions[0]["region_attributes"]["name"] = {"hat": True, "mask": True}
    with pytest.raises(DataSetError, match="several categories at once: hat,mask"):
        read_via(sets.write_via(tmp_path, document), attribute="name")


def test_regions_without_attributes_need_a_category(tmp_path):
    document = sets.via_document()
    for region in document["a.png123"]["regions"]:
        region["region_attributes"] = {}
    file = sets.write_via(tmp_path, document)
    with pytest.raises(DataSetError, match="no attribute for its category"):
        read_via(file)
    assert {thing.category for thing in read_via(file, category="balloon")[0].objects} == {"balloon"}


def test_regions_that_are_parts_of_one_thing(tmp_path):
    document = sets.via_document()
    regions = document["a.png123"]["regions"]
    for index in (0, 5):
        regions[index]["region_attributes"]["part_of"] = "1"
    whole, *others = read_via(sets.write_via(tmp_path, document), attribute="name")[0].objects
    assert (whole.category, len(whole.polygons), len(others)) == ("hat", 2, 3)
    assert whole.box_xyxy == (0, 0, 9.5, 8)
    assert not whole.attributes
    # unless that is what somebody calls the category
    assert len(read_via(tmp_path / "via.json", attribute="part_of", category="x")[0].objects) == 5


def test_voc(tmp_path):
    sets.write_voc(tmp_path)
    (picture,) = read_voc(tmp_path)
    assert (picture.path, picture.image_hw) == (tmp_path / "JPEGImages/a.png", (60, 80))
    assert (picture.source, picture.labelled) == ("plant", {"helmet", "head"})
    helmet, head = picture.objects
    assert (helmet.category, helmet.box_xyxy, helmet.ignored) == ("helmet", (11, 21, 40, 30.5), False)
    assert dict(helmet.attributes) == {"pose": "Left", "truncated": "1"}
    assert (head.box_xyxy, head.ignored) == ((1, 1, 5, 6), True)
    pascal = read_voc(tmp_path / "Annotations" / "a.xml", first_pixel=1)
    assert pascal[0].objects[1].box_xyxy == (0, 0, 5, 6)


def test_a_voc_size_that_is_absent_is_that_of_the_picture(tmp_path):
    sets.write_voc(tmp_path, sets.VOC.replace("<width>80</width>", "<width>0</width>"))
    assert read_voc(tmp_path)[0].image_hw == (60, 80)
    sets.write_voc(tmp_path, sets.VOC.replace("<filename>a.png</filename>", ""))
    assert read_voc(tmp_path)[0].path.name == "a.png"


BOMB = """<!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
FETCHING = """<!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>"""


@pytest.mark.parametrize("doctype", [BOMB, FETCHING, '<!DOCTYPE annotation SYSTEM "http://127.0.0.1/x.dtd">'])
def test_voc_entities_are_neither_expanded_nor_fetched(tmp_path, doctype):
    file = sets.write_voc(tmp_path, doctype + sets.VOC.replace("plant", "&a;" if "ENTITY" in doctype else ""))
    with pytest.raises(DataSetError, match="declares a document type"):
        read_voc(file)


def test_yolo(tmp_path):
    sets.write_yolo(tmp_path)
    first, second = read_yolo(tmp_path)
    assert first.path == tmp_path / "train/images/a.png"
    box, polygon, rectangle = first.objects
    assert (box.category, box.box_xyxy, box.polygons) == ("hat", (30, 15, 50, 45), ())
    assert (polygon.category, polygon.box_xyxy) == ("mask", (10, 0, 20, 30))
    assert polygon.polygons[0].tolist() == [[10, 0], [20, 0], [20, 30]]
    assert (rectangle.box_xyxy, rectangle.polygons) == ((0, 0, 40, 30), ())
    assert (second.objects, second.labelled) == ((), {"hat", "mask"})
    (tmp_path / "valid" / "labels").mkdir()
    (tmp_path / "valid" / "labels" / "b.txt").write_text("")
    assert [picture.path for picture in read_yolo(tmp_path / "data.yaml", subset="val")] == [second.path]
    with pytest.raises(DataSetError, match="no subset 'test'"):
        read_yolo(tmp_path, subset="test")


def test_yolo_beside_the_pictures(tmp_path):
    sets.draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("1 0.5 0.5 1 1")
    (tmp_path / "classes.txt").write_text("hat\r\nmask\r\n")
    (picture,) = read_pictures(tmp_path)
    assert [thing.category for thing in picture.objects] == ["mask"]


def test_yolo_lists_of_pictures_and_numbered_names(tmp_path):
    sets.draw(tmp_path / "images" / "train" / "a.png")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("3 0.5 0.5 1 1")
    (tmp_path / "train.txt").write_text("./images/train/a.png\n")
    (tmp_path / "data.yaml").write_text("train: [train.txt, images/train]\nnames: {3: vest}\n")
    (picture,) = read_yolo(tmp_path)
    assert [thing.category for thing in picture.objects] == ["vest"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("0 0.5 0.5 0.1", "line 1: 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "line 1: 6 numbers"),
        ("\n2 0.5 0.5 0.1 0.1", "line 2: there is no class '2'"),
        ("0 50 50 10 10", "not relative"),
        ("0 nan 0.5 0.1 0.1", "finite"),
        ("hat 0.5 0.5 0.1 0.1", "should hold numbers"),
    ],
)
def test_yolo_lines_that_are_wrong(tmp_path, labels, message):
    sets.write_yolo(tmp_path, labels=labels)
    with pytest.raises(DataSetError, match=rf"a\.txt: .*{message}"):
        read_yolo(tmp_path)


def test_a_yolo_set_without_any_labels_is_refused(tmp_path):
    sets.write_yolo(tmp_path)
    (tmp_path / "train" / "labels" / "a.txt").unlink()
    with pytest.raises(DataSetError, match=r"no picture has labels.*train/labels/a\.txt"):
        read_yolo(tmp_path)


def test_folders(tmp_path):
    for name in ("cloth/a.png", "cloth/deep/b.png", "none/c.png", ".hidden/d.png", "none/readme.md"):
        sets.draw((tmp_path / name).with_suffix(".png"))
    pictures = read_folders(tmp_path)
    labels = [(picture.path.name, picture.image_label) for picture in pictures]
    assert labels == [("a.png", "cloth"), ("b.png", "cloth"), ("c.png", "none"), ("readme.png", "none")]
    assert detect_format(tmp_path) == "folders"


def test_formats_are_told_apart(tmp_path):
    assert detect_format(sets.write_coco(tmp_path / "coco")) == "coco"
    assert detect_format(sets.write_via(tmp_path / "via")) == "via"
    assert detect_format(sets.write_voc(tmp_path / "voc")) == "voc"
    assert detect_format(tmp_path / "voc") == "voc"
    assert detect_format(sets.write_yolo(tmp_path / "yolo")) == "yolo"
    assert detect_format(tmp_path / "yolo") == "yolo"
    with pytest.raises(DataSetError, match="does not exist"):
        detect_format(tmp_path / "nothing.json")
    with pytest.raises(DataSetError, match=r"for example train\.json"):
        detect_format(tmp_path / "coco")
    with pytest.raises(DataSetError, match="cannot tell"):
        detect_format(tmp_path / "coco" / "images" / "a.png")
    with pytest.raises(DataSetError, match="no use for 'attribute'"):
        read_pictures(tmp_path / "voc", attribute="name")
    with pytest.raises(DataSetError, match="no format 'coko'"):
        read_pictures(tmp_path / "voc", file_format="coko")


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/etc/passwd", "images/../../a.png", "..\\a.png", "C:\\a.png", "http://x/a.png", "\0"],
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    coco = sets.coco_document()
    coco["images"][0]["file_name"] = name
    via = sets.via_document()
    via["a.png123"]["filename"] = name
    yolo = tmp_path / "yolo"
    sets.write_yolo(yolo, names="train: train.txt\nnames: [hat]\n")
    (yolo / "train.txt").write_text(name)
    readers = [
        lambda: read_coco(sets.write_coco(tmp_path / "coco", coco)),
        lambda: read_via(sets.write_via(tmp_path / "via", via)),
        lambda: read_yolo(yolo),
    ]
    if name != "\0":
        text = sets.VOC.replace("a.png", name)
        readers.append(lambda: read_voc(sets.write_voc(tmp_path / "voc", text)))
    sets.draw(tmp_path / "a.png")
    for read in readers:
        with pytest.raises(DataSetError, match=r"leaves the data set's folder|is no file's name"):
            read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda coco: coco["annotations"][0].update(bbox=[1, 2, 3]), r"annotations\[0\]\.bbox should be 4"),
        (lambda coco: coco["annotations"][0].update(bbox=[1, 2, 3, math.nan]), r"bbox\[3\] is nan"),
        (
            lambda coco: coco["annotations"][1].update(image_id=9),
            r"annotations\[1\]\.image_id is 9, .*picture",
        ),
        (lambda coco: coco["annotations"][1].update(category_id=True), "should be an id"),
        (lambda coco: coco["images"][1].update(id=1), r"images\[1\] has the id 1 of another picture"),
        (lambda coco: coco["images"][2].pop("width"), r"images\[2\] lacks 'width'"),
        (lambda coco: coco["annotations"][0].update(segmentation=[[1, 2, 3]]), "no pairs"),
        (
            lambda coco: coco["annotations"][1].update(segmentation={"size": [60, 80], "counts": [1]}),
            r"counts counts 1 pixels of 80 x 60",
        ),
        (
            lambda coco: coco["annotations"][1].update(segmentation={"size": [9, 9], "counts": [81]}),
            "a size that is not its picture's",
        ),
        (lambda coco: coco.pop("categories"), "the document lacks 'categories'"),
    ],
)
def test_errors_name_the_file_and_the_entry(tmp_path, change, message):
    document = copy.deepcopy(sets.coco_document())
    change(document)
    with pytest.raises(DataSetError, match=rf"train\.json: is no COCO file: .*{message}") as caught:
        read_coco(sets.write_coco(tmp_path, document))
    assert "\n" not in str(caught.value)


def test_a_picture_that_is_not_there_is_named(tmp_path):
    file = sets.write_via(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataSetError, match=r"via\.json: .*b\.png7\.filename.*No such file"):
        read_via(file)


def test_shared_sets_hold_what_their_description_says(shared_data: Path):
    counts = {}
    for file in sorted(shared_data.glob("*/*.json")):
        pictures = read_pictures(file)
        things = [thing for picture in pictures for thing in picture.objects]
        by_category = [sum(thing.category == name for thing in things) for name in _NAMES[file.parent.name]]
        counts[f"{file.parent.name}/{file.stem}"] = (len(pictures), *by_category)
        assert sum(by_category) == len(things)
        assert all(picture.path.is_file() for picture in pictures[::50])
    assert counts == _DESCRIBED


_NAMES = {
    "faces": ("face_with_mask", "face_without_mask", "face_mask_incorrect"),
    "mask_hat_polygons": ("face_mask", "hat"),
    "mask_skin_polygons": ("face_mask", "face_skin"),
    "face_crops": (),
    "mask_kinds": (),
    "face_landmarks": ("face",),
    "hard_hats": ("hard_hat", "bare_head", "person", "unclear_head"),
    "hard_hat_polygons": ("hard_hat",),
    "heads": ("head",),
    "persons": ("person",),
}
_DESCRIBED = {
    "faces/train": (2627, 4961, 2294, 606),
    "faces/val": (150, 611, 124, 22),
    "mask_hat_polygons/train": (408, 254, 239),
    "mask_hat_polygons/val": (44, 38, 26),
    "mask_skin_polygons/train": (450, 450, 450),
    "mask_skin_polygons/val": (50, 50, 50),
    "face_crops/train": (4091,),
    "mask_kinds/train": (1449,),
    "mask_kinds/val": (208,),
    "face_landmarks/train": (5709, 5709),
    "face_landmarks/val": (520, 520),
    "hard_hats/train": (2148, 4645, 1608, 756, 74),
    "hard_hats/val": (240, 541, 95, 215, 32),
    "hard_hat_polygons/train": (111, 141),
    "hard_hat_polygons/val": (30, 30),
    "heads/train": (685, 14332),
    "heads/val": (60, 1064),
    "persons/train": (629, 3842),
    "persons/val": (47, 110),
}
