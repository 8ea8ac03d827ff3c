"""How exactly OpenVINO counts: what is chosen, what quantising takes, and what happens where it was not done."""

import argparse
import logging
from pathlib import Path

import av
import numpy as np
import pytest

from models.errors import ExportError
from models.evaluation.overlaps import box_overlaps
from models.evaluation.runtimes import RunsIn, add_runtime_option
from models.letterbox import letterbox_batch
from models.loading import load_default_detector
from models.mask_rcnn.settings import usual_proposals
from models.pictures import ArrayPicture
from models.retinaface.detector import RetinaFaceDetector
from models.runtime import precision
from models.runtime.precision import chosen_precision
from models.runtime.quantised import export_for, quantise, quantised_export
from models.runtime.session import SessionOptions
from models.structures import ImageBatch
from models.weights import STORE

CLIP = Path(__file__).parents[2] / "streamer/demo/assets/demo.mp4"
RETINAFACE = STORE / "retinaface.safetensors"
HW = (256, 384)


@pytest.fixture(scope="module")
def frames() -> ImageBatch:
    """Some frames of the demo clip."""
    with av.open(str(CLIP)) as container:
        pictures = [
            ArrayPicture(frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(container.decode(video=0))
            if index % 40 == 0
        ]
    return letterbox_batch(pictures, HW)


@pytest.mark.parametrize(("native", "chosen"), [(True, "bf16"), (False, "f32")])
def test_left_to_choose_it_is_what_the_processor_has(monkeypatch, native: bool, chosen: str) -> None:
    monkeypatch.setattr(precision, "processor_has_bf16", lambda: native)
    assert chosen_precision() == chosen_precision("auto") == chosen
    assert [chosen_precision(asked) for asked in ("f32", "bf16", "int8")] == ["f32", "bf16", "int8"]


def test_what_was_quantised_finds_the_same_faces(frames: ImageBatch, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setenv("PPEWATCH_CACHE_DIR", str(tmp_path))
    int8 = SessionOptions(precision="int8")
    with pytest.raises(ExportError, match="was not quantised"):
        export_for("retinaface", RETINAFACE, int8)
    quantise(
        "retinaface", RETINAFACE, [frames.pixels[row : row + 1] for row in range(0, len(frames.pixels), 2)]
    )
    kinds = [
        node.get_type_name()
        for node in export_for("retinaface", RETINAFACE, int8).graphs["retinaface"].get_ops()
    ]
    usual = [
        node.get_type_name()
        for node in export_for("retinaface", RETINAFACE, None).graphs["retinaface"].get_ops()
    ]
    assert kinds.count("FakeQuantize") > 20
    assert "FakeQuantize" not in usual
    found, expected = (
        RetinaFaceDetector(
            RETINAFACE, score_threshold=0.5, runtime="openvino", options=SessionOptions(precision=name)
        ).detect(frames)
        for name in ("int8", "f32")
    )
    assert sum(len(faces) for faces in expected) >= 5
    assert any(
        not np.array_equal(faces.scores, others.scores) for faces, others in zip(found, expected, strict=True)
    )
    for faces, others in zip(found, expected, strict=True):
        sure = others.boxes_xyxy[others.scores >= 0.8]
        overlaps = box_overlaps(sure, faces.boxes_xyxy, np.zeros(len(faces.boxes_xyxy), np.bool_))
        assert (overlaps.max(axis=1, initial=0.0) > 0.8).all()


def test_networks_that_were_not_quantised_run_all_the_same_and_it_is_said(
    tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ExportError, match="weights export --precision int8"):
        quantised_export("retinaface", RETINAFACE, folder=tmp_path)
    monkeypatch.setattr(precision, "processor_has_bf16", lambda: False)
    with caplog.at_level(logging.WARNING):
        detector = load_default_detector(
            device="cpu", models=["retinaface"], precision="int8", runtime="openvino"
        )
    (line,) = caplog.messages
    assert "was not quantised" in line
    assert line.endswith("it runs in OpenVINO as f32")
    detector.warm_up((64, 96), (1,))


def test_as_many_proposals_as_the_input_has_room_for() -> None:
    counts = {hw: usual_proposals(hw).count for hw in ((96, 160), (384, 640), (736, 1280), (2176, 3840))}
    assert counts == {(96, 160): 100, (384, 640): 153, (736, 1280): 300, (2176, 3840): 300}
    assert usual_proposals((736, 1280)).candidates == 1000


def test_runtimes_of_a_measurement() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_runtime_option(parser)
    assert parser.parse_args([]).runtime == [RunsIn("keras", None)]
    chosen = parser.parse_args(["--runtime", "keras", "openvino-int8"]).runtime
    assert [one.named("maskrcnn") for one in chosen] == ["maskrcnn", "maskrcnn int8"]
    assert chosen[1] == RunsIn("openvino", SessionOptions(precision="int8"))
    with pytest.raises(argparse.ArgumentError, match="openvino-bf16"):
        parser.parse_args(["--runtime", "openvino-f16"])
