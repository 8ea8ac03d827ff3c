"""The published 8-bit MobileNets: what they compute as floats, and which files are refused."""

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema
from tflite_writing import small_model, write

from models.errors import WeightsError
from models.mask_rcnn.backbones import BACKBONES
from models.mask_rcnn.layers import ConvBlocks
from models.mask_rcnn.quantised_tflite import import_tflite_backbone, tflite_backbone
from models.mask_rcnn.tflite_files import read_tflite_convolutions
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

V2 = "mobilenet_v2_1.0_224_quant.tflite"
V1 = "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"
V1_ENDS = [f"MobilenetV1/MobilenetV1/Conv2d_{number}_pointwise/Relu6" for number in (3, 5, 11, 13)]
V2_ENDS = [
    *(f"MobilenetV2/expanded_conv_{number}/add" for number in (2, 5, 12)),
    "MobilenetV2/expanded_conv_16/project/add_fold",
]


@pytest.mark.parametrize(
    ("file_name", "backbone", "ends"), [(V1, "mobilenet_v1", V1_ENDS), (V2, "mobilenet_v2", V2_ENDS)]
)
def test_the_float_backbone_sees_what_the_published_file_sees(
    shared_data: Path, shared_weights: Path, tmp_path: Path, file_name: str, backbone: str, ends: list[str]
) -> None:
    source = shared_weights / file_name
    digest = import_tflite_backbone(source, tmp_path / "w.safetensors")
    stored = load_weights(tmp_path / "w.safetensors", architecture=backbone, digest=digest)
    assert stored.config == {"width": 1.0}
    pictures = keras.Input((None, None, 3))
    ours = keras.Model(pictures, BACKBONES[backbone](ConvBlocks(folded=True), pictures / 127.5 - 1.0, 1.0))
    assign_tensors(ours, stored.tensors, origin=source)
    path = sorted((shared_data / "hard_hats" / "images").glob("*.webp"))[0]
    pixels = cv2.resize(cv2.imread(str(path))[..., ::-1], (224, 224))[None]
    features = ours(pixels.astype(np.float32), training=False)
    for got, expected in zip(features, _published_features(source, pixels, ends), strict=True):
        assert got.shape == expected.shape
        # 8 bits lose a little at each layer
        assert np.corrcoef(np.asarray(got).ravel(), expected.ravel())[0, 1] > 0.98


def _published_features(source: Path, pixels: np.ndarray, names: list[str]) -> list[np.ndarray]:
    import tensorflow as tf  # noqa: PLC0415 - only where the shared files are

    with warnings.catch_warnings():
        # the interpreter moves to a package of its own, and keeping all tensors is for debugging only: this is
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(str(source), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    details = {detail["name"]: detail for detail in interpreter.get_tensor_details()}
    found = []
    for name in names:
        scale, zero_point = details[name]["quantization"]
        quantised = interpreter.get_tensor(details[name]["index"]).astype(np.float32)
        found.append(scale * (quantised - zero_point))
    return found


def test_numbers_axes_and_names(tmp_path: Path) -> None:
    path = write(tmp_path / "w.tflite", small_model())
    first, second = read_tflite_convolutions(path)
    assert (first.name, first.depthwise) == ("MobilenetV2/Conv", False)
    assert (second.name, second.depthwise) == ("MobilenetV2/expanded_conv/depthwise", True)
    stored = np.arange(108).reshape(4, 3, 3, 3)
    np.testing.assert_array_equal(first.kernel, (stored.transpose(1, 2, 3, 0) - 100) * 0.5)
    np.testing.assert_array_equal(first.bias, [-5, 0, 5, 10])
    np.testing.assert_array_equal(second.kernel[..., 0], (np.arange(36).reshape(3, 3, 4) - 100) * 0.5)
    assert second.kernel.shape == (3, 3, 4, 1)
    # the rest of the network is missing, which the importer tells
    with pytest.raises(WeightsError, match="block_1_expand/kernel is missing"):
        tflite_backbone(path)


def _set(part: Callable[[schema.ModelT], Any], **values: object) -> Callable[[schema.ModelT], None]:
    def change(model: schema.ModelT) -> None:
        for name, value in values.items():
            setattr(part(model), name, value)

    return change


def _kernel(model: schema.ModelT) -> schema.TensorT:
    return model.subgraphs[0].tensors[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set(_kernel, shape=[4, 3, 3, 4]), "108 bytes, not 144"),
        (_set(_kernel, shape=[4, 27]), "has the shape"),
        (_set(_kernel, shape=[-4, -3, 3, 3]), "has the shape"),
        (_set(_kernel, shape=[1 << 30, 1 << 30, 1, 1]), "has the shape"),
        (_set(_kernel, shape=[3, 3, 3, 4]), "kernel and bias disagree"),
        (_set(_kernel, type=schema.TensorType.FLOAT32), "not quantised per tensor"),
        (_set(_kernel, quantization=None), "not quantised per tensor"),
        (_set(lambda model: _kernel(model).quantization, scale=[0.5] * 4), "not quantised per tensor"),
        (_set(lambda model: _kernel(model).quantization, scale=[np.nan]), "not finite"),
        (_set(lambda model: _kernel(model).quantization, scale=[3e38]), "not finite"),
        (_set(_kernel, name="Other/weights_quant"), "Conv1/kernel is missing"),
        (_set(_kernel, name="MobilenetV1/MobilenetV1/Conv2d_0/weights_quant"), "no MobileNet"),
        (_set(_kernel, buffer=1 << 30), "damaged"),
        (_set(lambda model: model.subgraphs[0].operators[0], inputs=[0, 1]), "without a bias"),
        (_set(lambda model: model.subgraphs[0].operators[0], inputs=[0, 1 << 30, 2]), "damaged"),
        (_set(lambda model: model, subgraphs=[]), "damaged"),
        (_set(lambda model: model.subgraphs[0], operators=[]), "no MobileNet"),
    ],
)
def test_other_contents_are_refused(
    tmp_path: Path, change: Callable[[schema.ModelT], None], said: str
) -> None:
    model = small_model()
    change(model)
    path = write(tmp_path / "w.tflite", model)
    with pytest.raises(WeightsError, match=rf"w\.tflite: .*{said}"):
        import_tflite_backbone(path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_another_width_is_refused(shared_weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"Conv1/kernel is \(3, 3, 3, 32\), not \(3, 3, 3, 16\)"):
        tflite_backbone(shared_weights / V2, width=0.5)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "empty").touch()
    for name in ("absent", "text", "empty", "."):
        with pytest.raises(WeightsError):
            tflite_backbone(tmp_path / name)


def test_damaged_files_never_escape_the_error_tree(tmp_path: Path) -> None:
    path = write(tmp_path / "w.tflite", small_model())
    data = path.read_bytes()
    generator = np.random.default_rng(0)
    lengths = [data[:length] for length in range(0, len(data), 9)]
    flipped = []
    for _ in range(1000):
        damaged = bytearray(data)
        damaged[generator.integers(len(data))] ^= 1 << generator.integers(8)
        flipped.append(bytes(damaged))
    refused = 0
    for content in (*lengths, *flipped):
        path.write_bytes(content)
        # damage among the numbers goes unseen: the format has no checksum
        with contextlib.suppress(WeightsError):
            read_tflite_convolutions(path)
            continue
        refused += 1
    assert refused > 100
