"""What networks answer on TensorFlow, in the test's own process, and on JAX, in another.

JAX compiles each operation for each shape. So the other process draws no initial weights, which are replaced anyway,
and computes what is no detector's answer in one function.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matterport_reference import give_made_up_weights
from numpy.typing import NDArray

from models.letterbox import letterbox_batch
from models.mask_rcnn.backbones import BACKBONES
from models.mask_rcnn.config import MaskRcnnConfig
from models.mask_rcnn.detector import MaskRcnnDetector
from models.mask_rcnn.layers import ConvBlocks
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.settings import ProposalSettings
from models.mask_state.classifier import MaskStateClassifier
from models.pictures import ArrayPicture
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.detector import RetinaFaceDetector
from models.retinaface.network import build_retinaface
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

REPOSITORY = Path(__file__).resolve().parents[2]

Arrays = dict[str, NDArray[Any]]


def seen_by_both(name: str, folder: Path, *files: Path) -> tuple[Arrays, Arrays]:
    """What the function ``name`` of this module gives for ``files``: on TensorFlow, and on JAX."""
    assert keras.backend.backend() == "tensorflow"
    path = folder / "jax.npz"
    subprocess.run(
        [sys.executable, __file__, name, str(path), *map(str, files)],
        check=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(REPOSITORY)},
    )
    with np.load(path) as stored:
        seen = dict(stored)
    assert seen.pop("backend") == "jax"
    return _as_numpy(globals()[name](*files)), seen


def retinaface(weights: Path) -> Mapping[str, Any]:
    """The raw answers, and the faces, of three pictures."""
    pixels = np.random.default_rng(7).integers(0, 255, (3, 96, 160, 3)).astype(np.uint8)
    network = build_retinaface(RetinaFaceConfig())
    assign_tensors(network, load_weights(weights).tensors, origin="w")
    raw = _in_one(lambda pictures: network(pictures, training=False), pixels.astype(np.float32))
    batch = letterbox_batch([ArrayPicture(picture) for picture in pixels], (96, 160))
    faces = RetinaFaceDetector(weights, score_threshold=0.0).detect(batch)
    return {
        **raw,
        "boxes": np.concatenate([row.boxes_xyxy for row in faces]),
        "scores": np.concatenate([row.scores for row in faces]),
        "landmarks": np.concatenate([row.landmarks_xy for row in faces]),
    }


def mask_rcnn(weights: Path) -> Mapping[str, Any]:
    """The answers of each part, and what is detected, on two pictures."""
    stored = load_weights(weights)
    network = MaskRcnn(MaskRcnnConfig.from_mapping(stored.config, origin="w"))
    assign_tensors(network, stored.tensors, origin="w")
    pixels = np.random.default_rng(7).integers(0, 255, (2, 96, 128, 3)).astype(np.uint8)
    boxes = np.array([[4, 4, 60, 40], [10, 30, 28, 90]], np.float32)
    image_ids, class_ids = np.array([0, 1], np.int32), np.array([1, 2], np.int32)

    def parts(pictures: Any) -> dict[str, Any]:
        trunk = network.look(pictures)
        logits, deltas = network.judge_boxes(trunk, boxes, image_ids)
        pixel_logits = network.segment(trunk.levels[:4], boxes, image_ids, class_ids)
        return {
            "rpn_logits": trunk.rpn_logits,
            "rpn_deltas": trunk.rpn_deltas,
            "logits": logits,
            "deltas": deltas,
            "pixel_logits": pixel_logits,
        }

    detector = MaskRcnnDetector(weights, score_threshold=0.05, proposals=ProposalSettings(60, 20))
    found = detector.detect([ArrayPicture(picture) for picture in pixels], (96, 128))
    return {
        **_in_one(parts, pixels),
        "boxes": np.concatenate([row.boxes_xyxy for row in found]),
        "scores": np.concatenate([row.scores for row in found]),
        "seg_masks": np.concatenate([row.seg_masks for row in found]),
    }


def mask_rcnn_backbones() -> Mapping[str, Any]:
    """The features of each backbone, a quarter as wide."""
    pixels = np.random.default_rng(7).uniform(-1, 1, (2, 64, 96, 3)).astype(np.float32)
    seen = {}
    for name in ("mobilenet_v1", "mobilenet_v2", "resnet50"):
        pictures = keras.Input((None, None, 3))
        model = keras.Model(pictures, BACKBONES[name](ConvBlocks(), pictures, 0.25))
        give_made_up_weights(model, seed=5)
        for number, feature in enumerate(_in_one(model, pixels)):
            seen[f"{name} {number}"] = feature
    return seen


def mask_state(weights: Path, crops: Path) -> Mapping[str, Any]:
    """What the classifier says of crops."""
    states = MaskStateClassifier(weights, device="cpu").judge(np.load(crops))
    return {"probs": states.probs, "visibility": states.visibility}


def _in_one(function: Callable[[Any], Any], pixels: NDArray[Any]) -> Any:
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415 - only where it is the backend

        return jax.jit(function)(pixels)
    return function(pixels)


def _as_numpy(seen: Mapping[str, Any]) -> Arrays:
    return {name: np.asarray(keras.ops.convert_to_numpy(value)) for name, value in seen.items()}


def _zeros(_initializer: Any, shape: Any, dtype: Any = None) -> NDArray[np.float32]:
    return np.zeros(shape, dtype or "float32")


def main() -> None:
    name, out, *files = sys.argv[1:]
    for initializer in (keras.initializers.VarianceScaling, keras.initializers.RandomNormal):
        initializer.__call__ = _zeros
    seen = _as_numpy(globals()[name](*map(Path, files)))
    np.savez(out, backend=keras.backend.backend(), **seen)


if __name__ == "__main__":
    main()
