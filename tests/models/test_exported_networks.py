"""Exported networks answer as those of Keras do, on pictures; and a process that runs them loads neither."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import DeviceError, ExportError, WeightsError
from models.letterbox import letterbox_batch
from models.loading import load_default_detector, weights_paths
from models.mask_rcnn.detector import MaskRcnnDetector
from models.mask_state.classifier import MaskStateClassifier
from models.pictures import ArrayPicture
from models.retinaface.detector import RetinaFaceDetector
from models.runtime import cache, choice
from models.runtime.cache import cache_folder, exported
from models.runtime.equality import check_differences, likely_pictures
from models.runtime.export_files import read_export
from models.runtime.session import SessionOptions, SizedSessions
from models.structures import Category, ImageBatch
from models.weights import STORE, digest_of

ROOT = Path(__file__).parents[2]
HW = (256, 384)
RETINAFACE, MASK_STATE, MASK_RCNN = (
    STORE / f"{name}.safetensors" for name in ("retinaface", "mask_state", "maskrcnn")
)


@pytest.fixture(scope="module")
def frames() -> ImageBatch:
    """Three frames of the demo clip."""
    import av  # noqa: PLC0415

    with av.open(str(ROOT / "streamer/demo/assets/demo.mp4")) as container:
        pictures = [
            ArrayPicture(frame.to_ndarray(format="rgb24"))
            for index, frame in enumerate(container.decode(video=0))
            if index in (40, 120, 300)
        ]
    return letterbox_batch(pictures, HW)


def test_faces_are_those_of_keras(frames: ImageBatch) -> None:
    exported_one, network = (
        RetinaFaceDetector(RETINAFACE, score_threshold=0.1, device="cpu", runtime=runtime)
        for runtime in ("openvino", "keras")
    )
    found, expected = exported_one.detect(frames), network.detect(frames)
    assert exported_one.digest == network.digest
    assert sum(len(faces) for faces in expected) >= 3
    for faces, others in zip(found, expected, strict=True):
        np.testing.assert_allclose(faces.scores, others.scores, atol=1e-2)
        np.testing.assert_allclose(faces.boxes_xyxy, others.boxes_xyxy, atol=0.5)
        np.testing.assert_allclose(faces.landmarks_xy, others.landmarks_xy, atol=0.5)


def test_mask_states_are_those_of_keras() -> None:
    exported_one, network = (
        MaskStateClassifier(MASK_STATE, device="cpu", runtime=runtime) for runtime in ("openvino", "keras")
    )
    side = network.geometry.size_px
    for count in (0, 1, 4, 7, 70):
        crops = likely_pictures((side, side), 70)[:count]
        np.testing.assert_allclose(exported_one.answers(crops), network.answers(crops), atol=1e-2)


def test_instances_are_those_of_keras(frames: ImageBatch) -> None:
    exported_one, network = (
        MaskRcnnDetector(MASK_RCNN, score_threshold=0.3, device="cpu", runtime=runtime)
        for runtime in ("openvino", "keras")
    )
    found, expected = exported_one.detect_batch(frames), network.detect_batch(frames)
    assert sum(len(seen) for seen in expected) >= 5
    for seen, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(seen.class_ids, others.class_ids)
        np.testing.assert_allclose(seen.scores, others.scores, atol=1e-2)
        np.testing.assert_allclose(seen.boxes_xyxy, others.boxes_xyxy, atol=0.5)
        np.testing.assert_allclose(seen.seg_masks, others.seg_masks, atol=1e-2)


@pytest.mark.parametrize("runtime", ["openvino", "keras"])
def test_pixels_are_told_of_what_is_wanted_alone(frames: ImageBatch, runtime) -> None:
    all_of_it, hats = (
        MaskRcnnDetector(
            MASK_RCNN, score_threshold=0.3, device="cpu", runtime=runtime, seg_masks_of=wanted
        ).detect_batch(frames)
        for wanted in (None, {Category.HARD_HAT, Category.PERSON})
    )
    kinds = np.concatenate([seen.class_ids for seen in hats])
    wanted = np.isin(kinds, [Category.HARD_HAT, Category.PERSON])
    assert wanted.any()
    assert not wanted.all()
    told, pixels = (np.concatenate([seen.seg_masks for seen in all_seen]) for all_seen in (all_of_it, hats))
    np.testing.assert_allclose(pixels[wanted], told[wanted], atol=1e-5)
    assert told[~wanted].any()
    assert not pixels[~wanted].any()


def test_a_picture_without_anything_in_it_and_a_size_that_was_not_announced() -> None:
    detector = load_default_detector(device="cpu", models=["maskrcnn", "retinaface"], score_threshold=0.5)
    grey = ArrayPicture(np.full((96, 96, 3), 128, np.uint8))
    detector.warm_up((96, 96), (1,))
    for input_hw in ((96, 96), (64, 128), (96, 96)):
        assert [len(found) for found in detector.detect([grey, grey], input_hw)] == [0, 0]


def test_the_process_that_looks_holds_neither_tensorflow_nor_keras() -> None:
    exported("retinaface", RETINAFACE)
    code = (
        "import sys, numpy\n"
        "from models.loading import load_default_detector\n"
        "from models.pictures import ArrayPicture\n"
        "detector = load_default_detector(device='cpu')\n"
        "detector.warm_up((64, 96), (1,))\n"
        "detector.detect([ArrayPicture(numpy.zeros((64, 96, 3), 'u1'))], (64, 96))\n"
        "wrong = {'tensorflow', 'keras', 'jax', 'openvino.tools.ovc'} & set(sys.modules)\n"
        "try: import openvino_telemetry\n"
        "except ImportError: pass\n"
        "else: wrong.add('openvino_telemetry')\n"
        "sys.exit(str(wrong) if wrong else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_damaged_export_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    first = exported("mask_state", MASK_STATE, folder=tmp_path)
    (place,) = (tmp_path / "exports").iterdir()
    numbers, graph, manifest = (place / name for name in ("mask_state.bin", "mask_state.xml", "export.json"))
    whole = {file: file.read_bytes() for file in (numbers, graph, manifest)}
    described = json.loads(whole[manifest])

    def is_taken() -> bool:
        found = read_export(place, network="mask_state", weights_digest=digest_of(MASK_STATE))
        for file, content in whole.items():
            file.write_bytes(content)
        return found is not None

    manifest.write_bytes(whole[manifest][:40])
    assert not is_taken()
    for entry in ("format", "network", "weights", "openvino"):
        manifest.write_text(json.dumps({**described, entry: "another"}))
        assert not is_taken()
    graph.unlink()
    assert not is_taken()
    assert is_taken()
    numbers.write_bytes(whole[numbers][:-1] + b"?")
    made: list[str] = []
    real = cache._made

    def counted(network: str, *more):
        made.append(network)
        return real(network, *more)

    monkeypatch.setattr(cache, "_made", counted)
    again = exported("mask_state", MASK_STATE, folder=tmp_path)
    exported("mask_state", MASK_STATE, folder=tmp_path)
    assert made == ["mask_state"]
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [place.name]
    assert again.facts == first.facts
    assert is_taken()


def test_an_export_in_a_process_of_its_own_names_what_is_wrong(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_tensorflow_is_here", lambda: False)
    with pytest.raises(WeightsError, match="holds weights of 'mask_state', expected 'retinaface'"):
        exported("retinaface", MASK_STATE, folder=tmp_path)
    assert not any((tmp_path / "exports").iterdir())


def test_a_cache_that_cannot_be_written_costs_time_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "exports").touch()
    export = exported("mask_state", MASK_STATE, folder=tmp_path)
    assert set(export.graphs) == {"mask_state"}
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_a_full_disk_costs_time_and_no_more(tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _folder: usage._replace(free=1000))
    export = exported("mask_state", MASK_STATE, folder=tmp_path)
    assert set(export.graphs) == {"mask_state"}
    assert [*(tmp_path / "exports").iterdir()] == []


def test_an_export_that_cannot_be_put_in_its_place_is_used_all_the_same(
    tmp_path: Path, monkeypatch, caplog
) -> None:
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        if target.parent == tmp_path / "exports":
            raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    for _ in range(2):
        assert set(exported("mask_state", MASK_STATE, folder=tmp_path).graphs) == {"mask_state"}
        assert [*(tmp_path / "exports").iterdir()] == []
    assert "cannot be written" in caplog.text


def test_what_a_process_left_that_was_killed_over_an_export_goes_one_day(tmp_path: Path) -> None:
    left, under_way = (tmp_path / "exports" / name for name in (".export.left", ".export.under-way"))
    for folder in (left, under_way):
        folder.mkdir(parents=True)
    os.utime(left, (time.time() - 100_000,) * 2)
    exported("mask_state", MASK_STATE, folder=tmp_path)
    assert not left.exists()
    assert under_way.exists()


def test_what_answers_otherwise_is_refused(tmp_path: Path, monkeypatch) -> None:
    for differences in (
        {"score": 0.02, "box_px": 0},
        {"score": 0, "box_px": 0.6},
        {"score": np.nan, "box_px": 0},
    ):
        with pytest.raises(ExportError, match="answers otherwise"):
            check_differences("a network", differences)
    monkeypatch.setattr("models.mask_state.export.network_of", _disturbed())
    with pytest.raises(ExportError, match="mask_state answers otherwise: score"):
        exported("mask_state", MASK_STATE, folder=tmp_path)


def _disturbed():
    """Builds networks that answer otherwise each time that they are asked: when they are traced, and afterwards."""
    from models.mask_state.keras_answers import network_of  # noqa: PLC0415

    def build(*arguments, **options):
        network = network_of(*arguments, **options)
        asked = []

        def answer(crops, training):
            asked.append(1)
            return network(crops, training=training) * len(asked)

        return answer

    return build


def test_less_exact_sums_are_asked_for_and_seen(frames: ImageBatch) -> None:
    less = RetinaFaceDetector(
        RETINAFACE,
        score_threshold=0.3,
        runtime="openvino",
        options=SessionOptions(precision="bf16", threads=1),
    )
    assert sum(len(faces) for faces in less.detect(frames)) >= 3


def test_sizes_that_were_announced_stay_compiled_and_others_pass() -> None:
    sessions = SizedSessions(exported("retinaface", RETINAFACE).graphs["retinaface"])
    sessions.announce((64, 64))
    announced = sessions.at((64, 64))
    first = sessions.at((64, 96))
    assert sessions.at((64, 96)) is first
    for width in (128, 160, 192, 224):
        sessions.at((64, width))
    assert sessions.at((64, 64)) is announced
    assert sessions.at((64, 96)) is not first
    sessions.forget((64, 64))
    sessions.forget((64, 64))
    assert sessions.at((64, 64)) is not announced


def test_which_runtime_is_taken_where(monkeypatch) -> None:
    monkeypatch.setattr(choice, "gpu_driver_is_there", lambda: False)
    assert choice.chosen_runtime("auto") == choice.chosen_runtime("cpu") == "openvino"
    assert choice.chosen_runtime("gpu") == choice.chosen_runtime("cpu", "keras") == "keras"
    with pytest.raises(DeviceError, match="OpenVINO"):
        choice.chosen_runtime("gpu", "openvino")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choice.chosen_runtime("cpu") == "keras"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(choice, "gpu_driver_is_there", lambda: True)
    for finds, runtime in ((True, "keras"), (False, "openvino")):
        monkeypatch.setattr(choice, "_keras_finds_a_gpu", lambda finds=finds: finds)
        assert choice.chosen_runtime("auto") == runtime
        assert choice.chosen_runtime("cpu") == "openvino"
    monkeypatch.setattr(choice, "_is_installed", lambda: False)
    assert choice.chosen_runtime("cpu") == "keras"
    with pytest.raises(DeviceError, match="not installed"):
        choice.chosen_runtime("cpu", "openvino")


def test_the_cache_lies_where_it_is_told(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PPEWATCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/ppewatch:/var/cache/other")
    assert cache_folder() == tmp_path
    monkeypatch.delenv("PPEWATCH_CACHE_DIR")
    assert cache_folder() == Path("/var/cache/ppewatch")
    monkeypatch.delenv("CACHE_DIRECTORY")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / "ppewatch"


def test_what_openvino_cannot_take_runs_in_keras(tmp_path: Path, caplog) -> None:
    from mask_rcnn_builders import TINY, made_up_tensors  # noqa: PLC0415

    from models.mask_rcnn.config import ARCHITECTURE  # noqa: PLC0415
    from models.mask_rcnn.network import MaskRcnn  # noqa: PLC0415
    from models.weights import save_weights  # noqa: PLC0415

    path = tmp_path / "w.safetensors"
    config = replace(TINY, cell_offset=0.0)
    tensors = made_up_tensors(MaskRcnn(config))
    save_weights(path, tensors, architecture=ARCHITECTURE, config=config.to_mapping(), source="made up")
    weights = weights_paths({"maskrcnn": path}, names=["maskrcnn"])
    detector = load_default_detector(device="cpu", weights=weights, models=["maskrcnn"])
    assert "runs in Keras" in caplog.text
    assert len(detector.detect([ArrayPicture(np.zeros((64, 96, 3), np.uint8))], (64, 96))) == 1
    with pytest.raises(ExportError, match="RoIAlign"):
        load_default_detector(device="cpu", weights=weights, models=["maskrcnn"], runtime="openvino")


def test_the_cache_of_the_tests_is_one() -> None:
    assert Path(os.environ["PPEWATCH_CACHE_DIR"]).is_dir()
