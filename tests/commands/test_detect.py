"""``ppewatch detect`` as a whole: what it finds, writes, and says of what it cannot read."""

import json
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from command_line import Done, need_weights, one_line_of, ppewatch
from made_material import save, write_clip
from numpy.typing import NDArray

from models.structures import Category
from streamer.demo.site import CLIP

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


def turned_by_exif(rgb: NDArray[np.uint8]) -> bytes:
    """A JPEG that is stored lying on its side and says in its Exif block how to turn it (orientation 6)."""
    jpeg = cv2.imencode(".jpg", np.rot90(rgb)[..., ::-1])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


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
