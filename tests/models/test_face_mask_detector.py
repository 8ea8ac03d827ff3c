"""Both networks as one detector: what goes where, for several pictures at once."""

import sys
from pathlib import Path
from subprocess import run

import numpy as np
import pytest
from mask_state_builders import made_up_mask_state_weights
from retinaface_builders import made_up_weights

from models.detector import Detector
from models.errors import PictureError, WeightsError
from models.face_mask_detector import FaceMaskDetector
from models.letterbox import input_hw_for, letterbox_batch
from models.loading import load_default_detector, weights_paths
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import crop_faces, stack_crops
from models.pictures import ArrayPicture, read_picture
from models.retinaface.detector import RetinaFaceDetector
from models.retinaface.import_pytorch import import_retinaface
from models.structures import FACE_CATEGORIES, FACE_MASK_CLASSES
from models.weights import STORE, digest_of

MASK_STATE = STORE / "mask_state.safetensors"


@pytest.fixture(scope="module")
def reference(shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "retinaface.safetensors"
    import_retinaface(shared_weights / "retinaface_mobilenet0.25_widerface.pth", path)
    return path


def test_faces_carry_how_they_wear_their_masks(reference: Path, shared_data: Path) -> None:
    files = sorted((shared_data / "faces" / "images").glob("kaggle853_02*.webp"))[:3]
    pictures = [read_picture(file) for file in files]
    blank = ArrayPicture(np.full((300, 400, 3), 128, np.uint8))
    detector: Detector = load_default_detector(
        device="cpu", weights={"retinaface": reference}, models=["retinaface"], precision="f32"
    )
    input_hw = input_hw_for(pictures[0].image_hw, 640)
    together = detector.detect([pictures[0], blank, *pictures[1:]], input_hw)
    assert len(together) == 4
    assert len(together[1]) == 0
    assert sum(len(found) for found in together) >= 5
    faces = RetinaFaceDetector(reference, score_threshold=0.5, device="cpu")
    classifier = MaskStateClassifier(MASK_STATE, device="cpu")
    for picture, found in zip([pictures[0], *pictures[1:]], [together[0], *together[2:]], strict=True):
        assert found.image_hw == picture.image_hw
        assert found.input_scale == pytest.approx(
            min(input_hw[0] / picture.image_hw[0], input_hw[1] / picture.image_hw[1])
        )
        assert found.face_mask_probs is not None
        assert found.sharpness is not None
        assert found.landmarks_xy is not None
        # each face's row comes from its own crop of its own picture
        (seen,) = faces.detect(letterbox_batch([picture], input_hw))
        crops = crop_faces(picture, seen.boxes_xyxy, classifier.geometry)
        states = classifier.judge(stack_crops(crops, classifier.geometry))
        np.testing.assert_allclose(found.face_mask_probs, states.probs, atol=1e-4)
        assert (found.sharpness <= states.visibility + 1e-4).all()
        likeliest = [int(FACE_MASK_CLASSES[column]) for column in found.face_mask_probs.argmax(1)]
        assert found.class_ids.tolist() == likeliest
        centres = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
        assert np.abs(found.landmarks_xy.mean(1) - centres).max() < max(picture.image_hw) / 4
        assert set(found.class_ids.tolist()) <= {int(category) for category in FACE_CATEGORIES}


def test_it_names_its_weights_and_warms_up(tmp_path: Path) -> None:
    paths = {
        "retinaface": made_up_weights(tmp_path / "r.safetensors"),
        "mask_state": made_up_mask_state_weights(tmp_path / "m.safetensors"),
    }
    detector = load_default_detector(device="cpu", weights=paths, models=["retinaface"], score_threshold=0.99)
    assert dict(detector.digests) == {name: digest_of(path) for name, path in paths.items()}
    detector.warm_up((64, 96), (1, 2))
    assert [
        found.image_hw for found in detector.detect([ArrayPicture(np.zeros((32, 48, 3), np.uint8))], (64, 96))
    ] == [(32, 48)]
    with pytest.raises(PictureError):
        detector.detect([], (64, 96))
    with pytest.raises(PictureError):
        detector.detect([ArrayPicture(np.zeros((32, 48, 3), np.uint8))], (60, 96))


def test_many_faces_of_many_pictures_stay_with_their_picture(tmp_path: Path) -> None:
    faces = RetinaFaceDetector(
        made_up_weights(tmp_path / "r.safetensors"), score_threshold=0.0, max_faces=30, device="cpu"
    )
    states = MaskStateClassifier(made_up_mask_state_weights(tmp_path / "m.safetensors"), device="cpu")
    detector = FaceMaskDetector(faces, states)
    rng = np.random.default_rng(2)
    pictures = [ArrayPicture(rng.integers(0, 256, (64, 96, 3)).astype(np.uint8)) for _ in range(4)]
    together = detector.detect(pictures, (64, 96))
    assert sum(len(found) for found in together) > 64
    for picture, found in zip(pictures, together, strict=True):
        (alone,) = detector.detect([picture], (64, 96))
        assert len(alone) == len(found) > 0
        np.testing.assert_allclose(found.boxes_xyxy, alone.boxes_xyxy, atol=0.02)
        assert found.face_mask_probs is not None
        assert alone.face_mask_probs is not None
        np.testing.assert_allclose(found.face_mask_probs, alone.face_mask_probs, atol=2e-3)


def test_missing_and_unknown_weights_are_named_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no network 'yolo'"):
        weights_paths({"yolo": tmp_path})
    missing = tmp_path / "gone.safetensors"
    with pytest.raises(WeightsError, match=r"gone\.safetensors: the weights of retinaface are missing"):
        load_default_detector(weights={"retinaface": missing, "mask_state": MASK_STATE})
    code = (
        "import sys, pathlib, models.detector, models.loading as loading\n"
        "try: loading.load_default_detector(weights={'retinaface': pathlib.Path('gone')})\n"
        "except loading.WeightsError: sys.exit('loaded' if 'keras' in sys.modules else 0)\n"
        "sys.exit('not refused')"
    )
    run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
