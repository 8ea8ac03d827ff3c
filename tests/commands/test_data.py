"""``ppewatch data`` as people use it."""

import json
from pathlib import Path

import labelled_sets as sets
import pytest
import yaml
from command_line import one_line_of, ppewatch

from models.data.readers import read_pictures


def test_a_set_goes_round_all_formats(tmp_path):
    source = sets.write_coco(tmp_path / "start")
    for name in ("via", "voc", "yolo", "coco"):
        done = ppewatch("data", "convert", source, "--to", name, "--out", tmp_path / name)
        assert (done.code, done.err) == (0, ""), done.said
        source = Path(done.out.splitlines()[0].partition(": ")[0])
        assert source.is_relative_to(tmp_path / name)
    # what YOLO has no word for was said, and is gone
    pictures = read_pictures(source)
    assert len(pictures) == 3
    assert [thing.category for picture in pictures for thing in picture.objects] == ["hard_hat"]
    done = ppewatch("data", "convert", tmp_path / "start/train.json", "--to", "yolo", "--out", tmp_path / "y")
    assert "yolo cannot hold, and lost: ignored objects (1), attributes (2), sources (1)" in done.out


def test_convert_as_json_with_links(tmp_path):
    source = sets.write_via(tmp_path / "start")
    arguments = ("--to", "coco", "--out", tmp_path / "new", "--pictures", "link", "--json")
    report = json.loads(ppewatch("data", "convert", source, *arguments).out)
    assert report["pictures"] == 2
    assert report["objects"] == {"face_mask": 1, "hat": 4}
    assert all(picture.path.is_symlink() for picture in read_pictures(Path(report["file"])))


def test_stats(tmp_path):
    source = sets.write_coco(tmp_path)
    done = ppewatch("data", "stats", source)
    assert (done.code, done.err) == (0, "")
    assert any(line.split()[:5] == ["plant", "hard_hat", "1", "1", "1"] for line in done.out.splitlines())
    report = json.loads(ppewatch("data", "stats", source, "--json").out)
    assert [row["source"] for row in report["sources"]] == ["", "plant"]


def test_split_by_its_seed(tmp_path):
    document = sets.coco_document()
    document["annotations"] = []
    document["images"] = [
        {"id": index, "file_name": f"images/{index}.png", "height": 60, "width": 80, "group": index // 2}
        for index in range(40)
    ]
    source = sets.write_coco(tmp_path / "start", document)
    for index in range(40):
        sets.draw(tmp_path / "start" / "images" / f"{index}.png", index)
    members = []
    for folder in ("one", "two"):
        shares = ("--shares", "train=.7", "val=0.2", "test=0.1", "--seed", "5")
        done = ppewatch("data", "split", source, "--out", tmp_path / folder, *shares, "--json")
        assert (done.code, done.err) == (0, "")
        report = json.loads(done.out)
        assert report["groups"] == 20
        assert {name: part["pictures"] for name, part in report["parts"].items()} == {
            "train": 28,
            "val": 8,
            "test": 4,
        }
        parts = {name: read_pictures(Path(part["file"])) for name, part in report["parts"].items()}
        assert all(picture.path.is_file() for part in parts.values() for picture in part)
        groups = [{picture.group for picture in part} for part in parts.values()]
        assert sum(map(len, groups)) == 20
        members.append([[picture.path.name for picture in part] for part in parts.values()])
    assert members[0] == members[1]


def test_anchors_into_a_recipe(tmp_path):
    document = sets.coco_document()
    document["annotations"] = [
        {"id": index, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4 + index, 4 + 1.5 * index]}
        for index in range(30)
    ]
    source = sets.write_coco(tmp_path, document)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("# mine\nnetwork:\n  backbone: resnet50 # large\nrounds: 3\n")
    done = ppewatch("data", "anchors", source, "--side", "640", "--recipe", recipe, "--ratios", "2")
    assert (done.code, done.err) == (0, "")
    assert "9 clusters, mean best IoU 0.89" in done.out
    content = yaml.safe_load(recipe.read_text())
    assert content["rounds"] == 3
    assert len(content["network"]["anchor_ratios"]) == 2
    scales = content["network"]["anchor_scales_px"]
    assert (len(scales), scales) == (5, sorted(scales))
    assert recipe.read_text().startswith("# mine\nnetwork:\n")
    assert "backbone: resnet50 # large\n" in recipe.read_text()
    report = json.loads(ppewatch("data", "anchors", source, "--json", "--ratios", "2").out)
    assert report["anchor_scales_px"] == scales
    assert report["boxes"] == 30
    none = ppewatch("data", "anchors", source, "--only", "person")
    assert one_line_of(none) == "ppewatch data: there are no boxes to fit anchors to"


def test_what_is_labelled_is_told(tmp_path):
    source = sets.write_coco(tmp_path / "start")
    arguments = ("--to", "coco", "--out", tmp_path / "new", "--labelled", "plant=person")
    done = ppewatch("data", "convert", source, *arguments)
    assert done.code == 0
    assert read_pictures(tmp_path / "new" / "annotations.json")[0].labelled == {"person"}
    wrong = ppewatch("data", "stats", source, "--labelled", "site=person")
    assert "no source 'site'" in one_line_of(wrong)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("stats", "missing.json"), 1, "missing.json: does not exist"),
        (("stats", "broken.json"), 1, "broken.json: is no labels file"),
        (("convert", "train.json", "--to", "coco", "--out", "."), 1, "exists already"),
        (("anchors", "train.json", "--recipe", "none.yaml", "--clusters", "1"), 1, "boxes do not make 5"),
        (("split", "train.json", "--out", "x", "--shares", "a=0.5", "b=0.6"), 2, "--shares"),
        (("split", "train.json", "--out", "x", "--shares", "a=0.5", "a=0.5"), 2, "--shares"),
        (("split", "train.json", "--out", "x", "--shares", "../a=0.5"), 2, "should be like val=0.2"),
        (("convert", "train.json", "--to", "tfrecord", "--out", "x"), 2, "--to"),
        (("stats", "train.json", "--attribute", "name"), 1, "coco has no use for 'attribute'"),
        (("stats", "train.json", "--labelled", "present", "--labelled", "a=b"), 2, "--labelled"),
        (("stats", "train.json", "--labelled", "a"), 2, "SOURCE=CATEGORY"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path, arguments, code, words):
    sets.write_coco(tmp_path)
    sets.write_json(tmp_path / "annotations.json", {})
    (tmp_path / "broken.json").write_text("{")
    done = ppewatch("data", *arguments, cwd=tmp_path)
    assert done.code == code
    assert words in one_line_of(done)


def test_gear_is_drawn_on_labelled_faces(tmp_path):
    eyes_to_mouth = [[30, 30], [52, 30], [41, 45], [33, 56], [50, 56]]
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 100, "width": 80}],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [20, 10, 44, 60],
                "keypoints": [value for point in eyes_to_mouth for value in (*point, 2)],
            }
        ],
    }
    sets.draw(tmp_path / "bare" / "a.png", image_hw=(100, 80))
    source = tmp_path / "bare" / "faces.json"
    source.write_text(json.dumps(document), encoding="utf-8")
    shares = ("--face-masks", "1", "--wrong", "0", "--hard-hats", "1", "--hats", "0")
    done = ppewatch("data", "gear", source, "--out", tmp_path / "new", *shares)
    assert (done.code, done.err) == (0, ""), done.said
    assert done.out.splitlines()[0].endswith("1 pictures, 2 objects: face_mask 1, hard_hat 1")
    (picture,) = read_pictures(tmp_path / "new" / "annotations.json")
    worn = {thing.category: dict(thing.attributes) for thing in picture.objects}
    assert worn["face_mask"]["wear"] == "worn"
    assert worn["face_mask"]["kind"] in {"surgical", "respirator", "cloth"}
    assert all(thing.polygons for thing in picture.objects)
    done = ppewatch("data", "gear", source, "--out", tmp_path / "faces", "--faces", *shares)
    assert done.out.splitlines()[0].endswith("1 pictures, 1 objects: face_with_mask 1"), done.said
    done = ppewatch("data", "gear", source, "--out", tmp_path / "x", "--hats", "0.8", "--hard-hats", "0.4")
    assert one_line_of(done).endswith("--hard-hats and --hats: are together more than all heads")
