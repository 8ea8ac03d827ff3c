"""``ppewatch detect``: what it reads, finds, writes, and says of what it cannot read."""

import json
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import cv2
import numpy as np
import pytest
from command_line import Done, need_weights, one_line_of, ppewatch
from numpy.typing import NDArray

from models.errors import PictureError
from models.pictures import ArrayPicture
from models.structures import Category, Detections
from streamer.demo.site import CLIP
from streamer.detect.annotate import annotated, splash
from streamer.detect.looking import detections_of
from streamer.detect.material import Look, Material, MaterialError, looks_of, material_of
from streamer.detect.outputs import CopyWriter, copy_path
from streamer.detect.rows import JsonArray, coco_rows, row_text

#: Seconds of the demo clip in which one bare face is seen, and one with a mask.
BARE_S, MASKED_S = 5.0, 20.0


def demo_frames(*seconds: float) -> list[NDArray[np.uint8]]:
    """RGB frames of the demo clip."""
    found = {}
    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            if round(float(frame.time), 3) in seconds:
                found[round(float(frame.time), 3)] = frame.to_ndarray(format="rgb24")
    return [found[at] for at in seconds]


def save(path: Path, rgb: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1] if rgb.ndim == 3 and rgb.shape[2] == 3 else rgb)
    return path


def turned_by_exif(rgb: NDArray[np.uint8]) -> bytes:
    """A JPEG that is stored lying on its side and says in its Exif block how to turn it (orientation 6)."""
    jpeg = cv2.imencode(".jpg", np.rot90(rgb)[..., ::-1])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def write_clip(path: Path, pictures: list[NDArray[np.uint8]], *, fps: int = 5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18"}
        for number, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# --- the whole command -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of every kind, a clip, and files that are none of that."""
    need_weights()
    folder = tmp_path_factory.mktemp("album")
    bare, masked = demo_frames(BARE_S, MASKED_S)
    save(folder / "bare.jpg", bare)
    save(folder / "masked.png", masked)
    save(folder / "kinds" / "grey.png", cv2.cvtColor(bare, cv2.COLOR_RGB2GRAY))
    save(folder / "kinds" / "alpha.png", np.dstack([bare[..., ::-1], np.full(bare.shape[:2], 255, np.uint8)]))
    save(folder / "kinds" / "sixteen bits.tif", bare.astype(np.uint16) * 257)
    (folder / "kinds" / "turned.jpg").write_bytes(turned_by_exif(bare))
    write_clip(folder / "clips" / "08:15 gate.mkv", [bare] * 3 + [masked] * 3)
    (folder / "broken.jpg").write_bytes((folder / "bare.jpg").read_bytes()[:300])
    (folder / "clips" / "no video.mp4").write_text("words")
    (folder / "notes.txt").write_text("not looked at")
    return folder


@pytest.fixture(scope="module")
def looked(album: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, list[dict], Path]:
    """The command over the whole album: its end, its rows, the folder of copies."""
    out = tmp_path_factory.mktemp("looked")
    done = ppewatch(
        "detect", album, "--json", out / "new" / "rows.json", "--out", out / "copies", timeout=280
    )
    return done, json.loads((out / "new" / "rows.json").read_text()), out / "copies"


def faces_of(rows) -> list[dict]:
    """What RetinaFace saw; Mask R-CNN sees heads and garments beside it."""
    return [row for row in rows if row["category"].startswith("face_") and row["category"] != "face_mask"]


def test_unreadable_files_are_told_and_the_others_done(looked):
    done, rows, _ = looked
    assert done.code == 1
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == 2, done.err
    assert "broken.jpg: is no picture that can be decoded" in lines[0]
    assert "no video.mp4" in lines[1]
    assert len({row["file_name"] for row in rows}) == 7


def test_rows_are_those_of_the_contract(looked):
    _, rows, _ = looked
    for row in rows:
        assert set(row) - {"frame", "landmarks", "segmentation"} == {"file_name", "category", "bbox", "score"}
        assert row["category"] in {category.label for category in Category}
        assert 0.5 <= row["score"] <= 1
        x, y, width, height = row["bbox"]
        assert 0 < width <= 1280
        assert 0 < height <= 1280
        assert ("landmarks" in row) == row["category"].startswith("face_with") or "incorrect" in row[
            "category"
        ]
        if "landmarks" not in row:
            continue
        assert len(row["landmarks"]) == 5
        assert all(
            x - 10 < px < x + width + 10 and y - 10 < py < y + height + 10 for px, py in row["landmarks"]
        )


def test_bare_and_masked_faces_are_told_apart_in_every_kind_of_picture(looked):
    _, rows, _ = looked
    seen = {
        name: faces_of(row for row in rows if row["file_name"] == name)
        for name in {r["file_name"] for r in rows}
    }
    (reference,) = seen["bare.jpg"]
    assert reference["category"] == "face_without_mask"
    assert "frame" not in reference
    assert [row["category"] for row in seen["masked.png"]] == ["face_with_mask"]
    for name in ("grey.png", "alpha.png", "sixteen bits.tif", "turned.jpg"):
        (row,) = seen[f"kinds/{name}"]
        assert row["category"] == "face_without_mask", name
        # turned, it is found where it is seen
        assert row["bbox"] == pytest.approx(reference["bbox"], abs=8), name
    clip = seen["clips/08:15 gate.mkv"]
    assert [(row["frame"], row["category"]) for row in clip] == [
        (number, "face_without_mask" if number < 3 else "face_with_mask") for number in range(6)
    ]


def test_copies_are_beside_each_other_as_the_originals_are(looked, album):
    _, rows, copies = looked
    written = sorted(str(path.relative_to(copies)) for path in copies.rglob("*") if path.is_file())
    assert written == [
        "bare.jpg",
        "clips/08:15 gate.mkv",
        "kinds/alpha.png",
        "kinds/grey.png",
        "kinds/sixteen bits.tif.png",
        "kinds/turned.jpg",
        "masked.png",
    ]
    # something is drawn around the face, and nothing far from it
    in_masked = [row for row in rows if row["file_name"] == "masked.png"]
    x, y, _, height = faces_of(in_masked)[0]["bbox"]
    before, after = (cv2.imread(str(folder / "masked.png")) for folder in (album, copies))
    changed = (before != after).any(axis=2)
    assert changed[int(y) - 3 : int(y + height) + 3, int(x) - 3 : int(x) + 4].mean() > 0.3
    assert not changed[:, : max(0, int(min(row["bbox"][0] for row in in_masked)) - 200)].any()
    with av.open(str(copies / "clips" / "08:15 gate.mkv")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 5 for number in range(6)], abs=0.002)


def test_rows_on_standard_output_and_splash(album, tmp_path):
    arguments = (album / "masked.png", album / "bare.jpg", "--input-size", "960")
    done = ppewatch("detect", *arguments, "--json", "-", "--out", tmp_path, "--splash", timeout=280)
    assert (done.code, done.err) == (0, "")
    assert [(row["file_name"], row["category"]) for row in faces_of(json.loads(done.out))] == [
        ("masked.png", "face_with_mask"),
        ("bare.jpg", "face_without_mask"),
    ]
    colourful = {name: _colourful_share(tmp_path / name) for name in ("masked.png", "bare.jpg")}
    assert 0 < colourful["masked.png"] < 0.02  # the mask alone
    assert colourful["bare.jpg"] < 0.02  # no mask; dark hair may pass for a hat


def test_rows_for_people_and_the_least_score(album):
    done = ppewatch("detect", album / "bare.jpg", timeout=280)
    assert (done.code, done.err) == (0, "")
    assert [line.split()[:2] for line in done.out.splitlines() if "face_w" in line] == [
        ["bare.jpg", "face_without_mask"]
    ]
    done = ppewatch("detect", album / "bare.jpg", "--min-score", "1", "--json", "-", timeout=280)
    assert (done.code, done.out) == (0, "[]\n")


def test_models_may_be_chosen(album):
    done = ppewatch("detect", album / "bare.jpg", "--models", "retinaface", "--json", "-")
    assert {row["category"] for row in json.loads(done.out)} == {"face_without_mask"}, done.said
    done = ppewatch("detect", album / "bare.jpg", "--models", "retinaface,yolo")
    assert done.code == 1
    assert one_line_of(done).endswith("there is no model 'yolo'; there are retinaface, maskrcnn")


def test_wrong_weights_are_told_and_nothing_is_left(album, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    target = tmp_path / "rows.json"
    done = ppewatch(
        *("detect", album / "bare.jpg", "--json", target),
        *("--weights", f"retinaface={tmp_path / 'bad.safetensors'}"),
    )
    assert done.code == 1
    assert "bad.safetensors" in one_line_of(done)
    done = ppewatch("detect", album / "bare.jpg", "--weights", "yolo=x.safetensors")
    assert done.code == 1
    assert "no network 'yolo'" in one_line_of(done)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]


def _colourful_share(path: Path) -> float:
    bgr = cv2.imread(str(path)).astype(int)
    return float((np.ptp(bgr, axis=2) > 40).mean())


# --- which files -------------------------------------------------------------------------------------


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
    with pytest.raises(PictureError, match=r"bomb\.png: is no picture that can be decoded"):
        list(looks_of(Material("bomb.png", path)))


def test_every_nth_frame_keeps_its_number_and_time(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", [np.full((64, 96, 3), 25 * n, np.uint8) for n in range(7)])
    looks = list(looks_of(Material("clip.mp4", path), every=3))
    assert [look.frame for look in looks] == [0, 3, 6]
    assert [look.at_s for look in looks] == pytest.approx([0, 0.6, 1.2])


# --- rows, copies, memory ----------------------------------------------------------------------------


def detections(*categories: Category, image_hw: tuple[int, int] = (80, 100)) -> Detections:
    """One thing of each category, side by side, of falling score."""
    count = len(categories)
    boxes = [(5 + 20 * n, 10, 20 + 20 * n, 30) for n in range(count)]
    probs = np.zeros((count, 3), np.float32)
    probs[:, 0] = 0.9
    return Detections(
        image_hw=image_hw,
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.linspace(0.9, 0.6, count, dtype=np.float32),
        class_ids=np.array(categories, np.int32),
        landmarks_xy=np.full((count, 5, 2), 12, np.float32),
        face_mask_probs=probs,
    )


def test_the_score_of_a_face_is_that_of_its_category():
    seen = detections(Category.FACE_WITH_MASK, Category.HARD_HAT)
    face, hat = coco_rows("a.jpg", None, seen, min_score=0)
    # best first: 0.6 for the hat alone, 0.9 x 0.9 for the face and how it wears the mask
    assert (face["category"], face["score"], face["bbox"]) == ("face_with_mask", 0.81, [5, 10, 15, 20])
    assert (hat["category"], hat["score"]) == ("hard_hat", 0.6)
    assert "landmarks" in face
    assert "landmarks" not in hat
    assert [row["category"] for row in coco_rows("a", 3, seen, min_score=0.7)] == ["face_with_mask"]
    assert row_text(next(coco_rows("a.mp4", 3, seen, min_score=0))).startswith("a.mp4#3  face_with_mask")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_array_is_written_row_by_row(tmp_path, count):
    path = tmp_path / "rows.json"
    with path.open("w", encoding="utf-8") as stream:
        array = JsonArray(stream)
        for number in range(count):
            array.write({"file_name": f"ä{number}"})
        array.end()
    assert json.loads(path.read_text()) == [{"file_name": f"ä{number}"} for number in range(count)]


def test_splash_keeps_the_gear_in_colour_and_nothing_else():
    rgb = np.zeros((80, 100, 3), np.uint8)
    rgb[..., 0] = 200
    picture = splash(rgb, detections(Category.HARD_HAT, Category.BARE_HEAD), min_score=0.5)
    coloured = np.ptp(picture.astype(int), axis=2) > 0
    assert coloured[10:30, 5:20].all()
    assert coloured.sum() == 20 * 15
    assert not (annotated(rgb, detections(), min_score=0.5) != rgb).any()


def test_the_original_is_never_overwritten(tmp_path):
    path = save(tmp_path / "one.jpg", np.zeros((40, 60, 3), np.uint8))
    material = Material("one.jpg", path)
    before = path.read_bytes()
    with pytest.raises(MaterialError, match="overwrite the original"):
        CopyWriter(copy_path(tmp_path, material), material, splash=False, min_score=0.5)
    assert path.read_bytes() == before


def test_a_copy_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    for name in ("one.jpg", "clip.mp4"):
        material = Material(name, tmp_path / name)
        look = Look(
            name,
            *((None, None) if material.is_picture else (0, 0.0)),
            ArrayPicture(np.zeros((40, 60, 3), np.uint8)),
        )
        with (
            pytest.raises(MaterialError, match="taken"),
            CopyWriter(
                copy_path(tmp_path / "taken", material), material, splash=False, min_score=0.5
            ) as copies,
        ):
            copies.write(look, Detections.empty((40, 60)))


@pytest.mark.parametrize("size_hw", [(41, 61), (2, 2)])
def test_a_clip_that_breaks_off_or_changes_size_leaves_a_copy_that_plays(tmp_path, size_hw):
    material = Material("clip.ts", tmp_path / "clip.ts")
    path = copy_path(tmp_path / "out", material)

    def write() -> None:
        with CopyWriter(path, material, splash=False, min_score=0.5) as copies:
            # the clock of a recording may stand still or go back
            for number, (hw, at_s) in enumerate(
                [(size_hw, 0.0), (size_hw, 0.0), ((90, 120), 0.4), (size_hw, 0.3)]
            ):
                copies.write(
                    Look("clip.ts", number, at_s, ArrayPicture(np.full((*hw, 3), 100, np.uint8))),
                    Detections.empty(hw),
                )
            raise MaterialError("the recording breaks off")

    with pytest.raises(MaterialError, match="breaks off"):
        write()
    assert [item.name for item in path.parent.iterdir()] == ["clip.ts.mp4"]
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 4


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
