"""The classifier as it runs: shapes, batches, refusals, both backends, and the weights that ship."""

from pathlib import Path

import numpy as np
import pytest
from both_backends import seen_by_both
from mask_state_builders import made_up_mask_state_tensors, made_up_mask_state_weights
from numpy.typing import NDArray

from models.data.readers import read_pictures
from models.errors import InferenceError, PictureError, WeightsError
from models.evaluation.classifier_faces import faces_to_judge, judge_faces
from models.evaluation.classifier_figures import classifier_figures
from models.mask_state.classifier import FACE_BUCKETS, MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.mask_state.network import ARCHITECTURE, MaskStateConfig, build_mask_state_network
from models.weights import STORE, save_weights
from models.weights.keras_variables import assign_tensors


def made_up_crops(count: int, side: int = 64) -> NDArray[np.uint8]:
    """Patches of single colours: noise alone would look the same everywhere to a network that averages."""
    rng = np.random.default_rng(count)
    coarse = rng.integers(0, 256, (count, 2, 2, 3)).astype(np.uint8)
    return coarse.repeat(side // 2, axis=1).repeat(side // 2, axis=2)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> MaskStateClassifier:
    return MaskStateClassifier(
        made_up_mask_state_weights(tmp_path_factory.mktemp("w") / "w.safetensors"), device="cpu"
    )


def test_it_answers_each_crop_the_same_in_any_number() -> None:
    classifier = MaskStateClassifier(STORE / "mask_state.safetensors", device="cpu")
    crops = made_up_crops(FACE_BUCKETS[-1] + 7, classifier.geometry.size_px)
    states = classifier.judge(crops)
    assert states.probs.shape == (len(crops), 3)
    assert states.visibility.shape == (len(crops),)
    assert states.probs.std(0).min() > 0.01
    np.testing.assert_allclose(states.probs.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(states.probs, classifier.judge(crops).probs)
    np.testing.assert_array_equal(states.probs, classifier.classify(crops))
    for count in (1, 3, 16):
        alone = classifier.judge(crops[:count])
        np.testing.assert_allclose(alone.probs, states.probs[:count], atol=1e-5)
        np.testing.assert_allclose(alone.visibility, states.visibility[:count], atol=1e-5)


def test_no_faces_are_no_work_and_wrong_crops_are_refused(classifier: MaskStateClassifier) -> None:
    assert len(classifier.judge(made_up_crops(0))) == 0
    assert classifier.classify(made_up_crops(0)).shape == (0, 3)
    for wrong in (made_up_crops(1, 96), made_up_crops(1)[0], made_up_crops(1).astype(np.float32)):
        with pytest.raises(PictureError, match="64, 64, 3"):
            classifier.judge(wrong)  # type: ignore[arg-type]


def test_folding_batch_norms_changes_nothing(classifier: MaskStateClassifier) -> None:
    network = build_mask_state_network(MaskStateConfig(size_px=64))
    assign_tensors(network, made_up_mask_state_tensors(MaskStateConfig(size_px=64)), origin="made up")
    crops = made_up_crops(5)
    expected = np.asarray(network(crops.astype(np.float32), training=False))
    np.testing.assert_allclose(classifier.logits(crops), expected, atol=1e-3)


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match="cannot be read"):
        MaskStateClassifier(path)
    for name, value, message in (
        ("temperature", 0, "temperature"),
        ("temperature", "hot", "temperature"),
        ("network", {"size_px": 64}, "network config"),
        ("network", MaskStateConfig(size_px=96).to_mapping(), "do not fit"),
        ("crops", {"size_px": 64}, "crop config"),
        ("more", 1, "no|not one"),
    ):
        made_up_mask_state_weights(path, **{name: value})
        with pytest.raises(WeightsError, match=message):
            MaskStateClassifier(path)
    save_weights(path, {"a": np.zeros(1, np.float32)}, architecture="retinaface", config={}, source="x")
    with pytest.raises(WeightsError, match="expected 'mask_state'"):
        MaskStateClassifier(path)
    config = {
        "network": MaskStateConfig(size_px=64).to_mapping(),
        "crops": CropGeometry(size_px=64).to_mapping(),
        "temperature": 1.0,
    }
    tensors = made_up_mask_state_tensors(MaskStateConfig(size_px=64))
    del tensors["logits/bias"]
    save_weights(path, tensors, architecture=ARCHITECTURE, config=config, source="x")
    with pytest.raises(WeightsError, match="logits/bias is missing"):
        MaskStateClassifier(path)


def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    tensors = made_up_mask_state_tensors(MaskStateConfig(size_px=64))
    tensors["logits/kernel"][:] = 3e38
    path = made_up_mask_state_weights(tmp_path / "w.safetensors")
    stored = {"network": MaskStateConfig(size_px=64).to_mapping(), "temperature": 1.0}
    crops = MaskStateClassifier(path).geometry.to_mapping()
    save_weights(path, tensors, architecture=ARCHITECTURE, config=stored | {"crops": crops}, source="x")
    with pytest.raises(InferenceError):
        MaskStateClassifier(path).judge(made_up_crops(2))


def test_jax_sees_what_tensorflow_sees(tmp_path: Path) -> None:
    coarse = np.random.default_rng(5).integers(0, 256, (5, 12, 12, 3)).astype(np.uint8)
    np.save(tmp_path / "crops.npy", coarse.repeat(8, axis=1).repeat(8, axis=2))
    files = (STORE / "mask_state.safetensors", tmp_path / "crops.npy")
    on_tensorflow, on_jax = seen_by_both("mask_state", tmp_path, *files)
    for name in ("probs", "visibility"):
        np.testing.assert_allclose(on_jax[name], on_tensorflow[name], atol=1e-4)


def test_the_shipped_weights_tell_real_faces(shared_data: Path) -> None:
    pictures = read_pictures(shared_data / "faces" / "val.json")
    faces = faces_to_judge(pictures, {}, origin="faces")[:200]
    judged = judge_faces(MaskStateClassifier(STORE / "mask_state.safetensors", device="cpu"), pictures, faces)
    figures = classifier_figures("faces", judged, samples=0, seed=1)
    assert figures.report.support.sum() == 200
    assert figures.report.accuracy > 0.92
    assert figures.ece < 0.08
    assert float(np.median(judged.probs[judged.labels == 0, 0])) > 0.9
    assert float(np.median(judged.probs[judged.labels == 1, 1])) > 0.8
