"""Published PyTorch weights: read without PyTorch, without running anything, and right."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from retinaface_builders import made_up_tensors
from torch_writing import hostile, torch_state, write_torch_stream, write_torch_zip

from models.errors import WeightsError
from models.letterbox import letterbox_batch
from models.pictures import read_picture
from models.retinaface.config import ARCHITECTURE, RetinaFaceConfig
from models.retinaface.folding import fold_batch_norms
from models.retinaface.import_pytorch import (
    backbone_tensors_from_state_dict,
    import_retinaface,
    state_dict_from_tensors,
    state_dict_of,
    tensors_from_state_dict,
)
from models.retinaface.network import build_retinaface
from models.retinaface.torch_files import read_torch_file
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

TENSORS = {
    "a.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "a.bias": np.array([-1.5], np.float32),
}
WRITERS = [write_torch_zip, write_torch_stream]


@pytest.mark.parametrize("folded", [False, True])
def test_raw_outputs_equal_those_of_the_onnx_witness(
    shared_data: Path, shared_weights: Path, tmp_path: Path, folded: bool
) -> None:
    path = tmp_path / "reference.safetensors"
    import_retinaface(shared_weights / "retinaface_mobilenet0.25_widerface.pth", path)
    stored = load_weights(path, architecture=ARCHITECTURE)
    config, tensors = RetinaFaceConfig.from_mapping(stored.config, origin=path), dict(stored.tensors)
    if folded:
        config, tensors = fold_batch_norms(config, tensors, origin=path)
    network = build_retinaface(config)
    assign_tensors(network, tensors, origin=path)
    witness = onnxruntime.InferenceSession(
        str(shared_weights / "retinaface_mobilenet0.25_widerface_640.onnx"),
        providers=["CPUExecutionProvider"],
    )
    sure_of_faces = 0
    for file in sorted((shared_data / "faces" / "images").glob("kaggle853_02*.webp"))[:4]:
        rgb = letterbox_batch([read_picture(file)], (640, 640)).pixels.astype(np.float32)
        published = (rgb[..., ::-1] - np.array([104, 117, 123], np.float32)).transpose(0, 3, 1, 2)
        boxes, scores, landmarks = witness.run(None, {"input0": np.ascontiguousarray(published)})
        ours = {name: np.asarray(value) for name, value in network(rgb, training=False).items()}
        logits = ours["face_logits"]
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        np.testing.assert_allclose(ours["box_deltas"], boxes, atol=2e-4)
        np.testing.assert_allclose(powers / powers.sum(axis=-1, keepdims=True), scores, atol=2e-5)
        np.testing.assert_allclose(ours["landmark_deltas"], landmarks, atol=2e-4)
        sure_of_faces += int((scores[..., 1] > 0.9).sum())
    assert sure_of_faces > 10


def test_the_published_backbone_alone(shared_weights: Path) -> None:
    file = shared_weights / "mobilenet_v1_0.25_imagenet.pth.tar"
    state = state_dict_of(read_torch_file(file), origin=file)
    assert not any(name.startswith("module.") for name in state)
    tensors = backbone_tensors_from_state_dict(state, RetinaFaceConfig(), origin=file)
    assert len(tensors) == 135
    np.testing.assert_array_equal(
        tensors["body.stage1.0.0/kernel"][:, :, ::-1], state["stage1.0.0.weight"].transpose(2, 3, 1, 0)
    )
    with pytest.raises(WeightsError, match="does not fit"):
        backbone_tensors_from_state_dict(state, RetinaFaceConfig(backbone="resnet50"), origin=file)


@pytest.mark.parametrize(
    ("write", "backbone"),
    [
        (write_torch_zip, "mobilenet0.25"),
        (write_torch_stream, "mobilenet0.25"),
        (write_torch_zip, "resnet50"),
    ],
)
def test_a_state_dict_in_the_published_naming_comes_back(tmp_path: Path, write: Any, backbone: Any) -> None:
    config = RetinaFaceConfig(backbone=backbone)
    tensors = made_up_tensors(config)
    published = state_dict_from_tensors(tensors, config)
    parallel = {f"module.{name}": value for name, value in published.items()}
    path = write(tmp_path / "w.pth", parallel)
    import_retinaface(path, tmp_path / "w.safetensors", backbone=backbone)
    stored = load_weights(tmp_path / "w.safetensors")
    assert RetinaFaceConfig.from_mapping(stored.config, origin="w") == config
    assert stored.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(stored.tensors[name], tensor, err_msg=name)


def test_the_same_file_becomes_the_same_bytes(tmp_path: Path) -> None:
    config = RetinaFaceConfig()
    state = state_dict_from_tensors(made_up_tensors(config), config)
    source = write_torch_zip(tmp_path / "w.pth", state)
    once, again = tmp_path / "once.safetensors", tmp_path / "again.safetensors"
    assert import_retinaface(source, once) == import_retinaface(source, again)
    assert once.read_bytes() == again.read_bytes()


def test_resnet50_has_the_published_names_and_shapes() -> None:
    config = RetinaFaceConfig(backbone="resnet50")
    published = state_dict_from_tensors(made_up_tensors(config), config)
    backbone = 23_508_032 + 2 * 26_560  # torchvision's ResNet-50 without fc, and its running statistics
    pyramid = (512 + 1024 + 2048) * 256 + 2 * 9 * 256 * 256 + 5 * 4 * 256
    context = 9 * (256 * 128 + 256 * 64 + 3 * 64 * 64) + 4 * (128 + 4 * 64)
    heads = 3 * (4 + 8 + 20) * (256 + 1)
    assert sum(value.size for value in published.values()) == backbone + pyramid + 3 * context + heads
    expected = {
        "body.conv1.weight": (64, 3, 7, 7),
        "body.layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "body.layer3.5.conv2.weight": (256, 256, 3, 3),
        "body.layer4.2.bn3.running_var": (2048,),
        "fpn.output3.0.weight": (256, 2048, 1, 1),
        "ssh2.conv7x7_3.1.bias": (64,),
        "LandmarkHead.1.conv1x1.weight": (20, 256, 1, 1),
    }
    for name, shape in expected.items():
        assert published[name].shape == shape


def test_other_networks_are_refused(tmp_path: Path) -> None:
    config = RetinaFaceConfig()
    state = state_dict_from_tensors(made_up_tensors(config), config)
    with pytest.raises(WeightsError, match="does not fit"):
        tensors_from_state_dict(state, RetinaFaceConfig(backbone="resnet50"), origin="w")
    del state["fpn.merge1.0.weight"]
    with pytest.raises(WeightsError, match=r"fpn\.merge1\.0\.weight is missing"):
        tensors_from_state_dict(state, config, origin="w")
    with pytest.raises(WeightsError):
        import_retinaface(write_torch_zip(tmp_path / "w.pth", state), tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("write", WRITERS)
def test_tensors_come_back(tmp_path: Path, write: Any) -> None:
    content = read_torch_file(write(tmp_path / "w.pth", TENSORS))
    assert content.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(content[name], tensor)


def test_nested_checkpoints_and_counters(tmp_path: Path) -> None:
    state = torch_state(TENSORS)
    path = write_torch_zip(
        tmp_path / "w.pth", TENSORS, {"epoch": 3, "state_dict": state, "best": [1.5, None]}
    )
    assert state_dict_of(read_torch_file(path), origin=path).keys() == TENSORS.keys()
    assert state_dict_of({"bn.num_batches_tracked": TENSORS["a.bias"]} | TENSORS, origin="x").keys() == {
        *TENSORS
    }
    for wrong in ({}, [], {"epoch": 3}, {"state_dict": {"a": 1}}, {1: TENSORS["a.bias"]}):
        with pytest.raises(WeightsError, match="no state dict"):
            state_dict_of(wrong, origin="x")


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [
        ("os", "system", "touch {mark}"),
        ("posix", "system", "touch {mark}"),
        ("builtins", "eval", "open('{mark}', 'w')"),
        ("builtins", "getattr", "x"),
        ("subprocess", "getoutput", "touch {mark}"),
        ("numpy.core.multiarray", "_reconstruct", "x"),
        ("torch", "load", "{mark}"),
        ("torch._utils", "_rebuild_tensor_v3", "x"),
        ("collections", "OrderedDict.fromkeys", "x"),
    ],
)
def test_files_that_want_to_run_something_are_refused(
    tmp_path: Path, write: Any, module: str, name: str, argument: str
) -> None:
    mark = tmp_path / "mark"
    attack = hostile(module, name, argument.format(mark=mark))
    for content in (attack, {"state_dict": torch_state(TENSORS) | {"b": attack}}):
        path = write(tmp_path / "w.pth", TENSORS, content)
        with pytest.raises(WeightsError, match="refused"):
            read_torch_file(path)
        with pytest.raises(WeightsError, match="refused"):
            import_retinaface(path, tmp_path / "out.safetensors")
    assert not mark.exists()
    assert not (tmp_path / "out.safetensors").exists()


def test_tensors_beyond_their_storage_are_refused(tmp_path: Path) -> None:
    for shape, strides in (((1000, 1000), (0, 0)), ((4, 4), (4, 1)), ((3, -4), (4, 1)), ((2,), (100,))):
        state = torch_state(TENSORS)
        call = state["a.weight"]
        call.arguments = (call.arguments[0], 0, shape, strides, False, None)
        with pytest.raises(WeightsError, match="damaged"):
            read_torch_file(write_torch_zip(tmp_path / "w.pth", TENSORS, state))


@pytest.mark.parametrize("write", WRITERS)
def test_damaged_files_never_escape_the_error_tree(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path / "w.pth", TENSORS)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            read_torch_file(path)
    for _ in range(500):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        # damage among the numbers goes unseen: the format has no checksum
        with contextlib.suppress(WeightsError):
            read_torch_file(path)


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "empty").touch()
    for name in ("absent", "text", "empty"):
        with pytest.raises(WeightsError, match=name):
            read_torch_file(tmp_path / name)


def test_a_damaged_name_warns_nobody(tmp_path: Path) -> None:
    path = write_torch_stream(tmp_path / "w.pth", TENSORS)
    path.write_bytes(path.read_bytes().replace(b"_rebuild_tensor_v2", b"_rebuild_\\qensor_v2"))
    # warnings are errors here
    with pytest.raises(WeightsError):
        read_torch_file(path)
