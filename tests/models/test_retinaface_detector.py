"""The detector: batches, sizes, the way back to original pixels, and both backends."""

from pathlib import Path

import keras
import numpy as np
import pytest
from both_backends import seen_by_both
from retinaface_builders import made_up_tensors, made_up_weights

from models.errors import DeviceError, InferenceError, PictureError, WeightsError
from models.letterbox import letterbox_batch
from models.networks.compiled import BATCH_BUCKETS, CompiledBatchFunction, resolved_device
from models.pictures import ArrayPicture, read_picture
from models.retinaface.config import RetinaFaceConfig
from models.retinaface.detector import NetworkDetector, RetinaFaceDetector
from models.retinaface.faces import Faces
from models.retinaface.import_pytorch import import_retinaface
from models.retinaface.network import build_retinaface
from models.structures import ImageBatch
from models.weights import digest_of, save_weights
from models.weights.keras_variables import assign_tensors


@pytest.fixture(scope="module")
def reference(shared_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "reference.safetensors"
    import_retinaface(shared_weights / "retinaface_mobilenet0.25_widerface.pth", path)
    return path


@pytest.fixture(scope="module")
def pictures(shared_data: Path) -> list[ArrayPicture]:
    files = sorted((shared_data / "faces" / "images").glob("kaggle853_02*.webp"))
    return [read_picture(file) for file in files[:3]]


def made_up_batch(count: int, input_hw: tuple[int, int] = (64, 96)) -> ImageBatch:
    pixels = np.random.default_rng(1).integers(0, 255, (count, *input_hw, 3)).astype(np.uint8)
    return letterbox_batch([ArrayPicture(picture) for picture in pixels], input_hw)


def assert_same(first: Faces, second: Faces, tolerance: float = 0.02) -> None:
    assert len(first) == len(second)
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-4)
    np.testing.assert_allclose(first.boxes_xyxy, second.boxes_xyxy, atol=tolerance)
    np.testing.assert_allclose(first.landmarks_xy, second.landmarks_xy, atol=tolerance)


def test_it_finds_labelled_faces_in_original_pixels(reference: Path, pictures: list[ArrayPicture]) -> None:
    detector = RetinaFaceDetector(reference)
    assert detector.digest == digest_of(reference)
    small = detector.detect(letterbox_batch(pictures, (640, 640)))
    large = detector.detect(letterbox_batch(pictures, (768, 1024)))
    matched = 0
    for picture, one, other in zip(pictures, small, large, strict=True):
        assert len(one) > 0
        assert (np.diff(one.scores) <= 0).all()
        assert one.scores.min() >= 0.5
        # the same faces, wherever and however large they lay in the input
        for box, points in zip(one.boxes_xyxy, one.landmarks_xy, strict=True):
            gaps = np.abs(other.boxes_xyxy - box).max(axis=1)
            matched += int((gaps < 0.2 * (box[3] - box[1])).any())
            assert box[0] - 5 < points[:, 0].mean() < box[2] + 5
        assert one.boxes_xyxy.max() < 1.2 * max(picture.image_hw)
    assert matched > 0.6 * sum(map(len, small))


def test_a_picture_has_the_same_faces_in_any_batch(reference: Path, pictures: list[ArrayPicture]) -> None:
    detector = RetinaFaceDetector(reference)
    alone = [detector.detect(letterbox_batch([picture], (320, 320)))[0] for picture in pictures]
    order = [index % len(pictures) for index in range(BATCH_BUCKETS[-1] + 3)]
    together = detector.detect(letterbox_batch([pictures[index] for index in order], (320, 320)))
    for index, faces in zip(order, together, strict=True):
        assert_same(faces, alone[index])


def test_thresholds_and_limits(tmp_path: Path) -> None:
    path, batch = made_up_weights(tmp_path / "w.safetensors"), made_up_batch(1)
    everything = RetinaFaceDetector(path, score_threshold=0.0, nms_iou=1.0, max_faces=10**6).detect(batch)[0]
    assert len(everything) == 2 * (8 * 12 + 4 * 6 + 2 * 3)
    middle = float(np.median(everything.scores))
    assert len(RetinaFaceDetector(path, score_threshold=middle, nms_iou=1.0).detect(batch)[0]) == sum(
        everything.scores >= middle
    )
    assert len(RetinaFaceDetector(path, score_threshold=0.0, max_faces=3).detect(batch)[0]) == 3
    assert RetinaFaceDetector(path, score_threshold=1.1).detect(batch)[0].boxes_xyxy.shape == (0, 4)


def test_empty_batches_and_wrong_sizes(tmp_path: Path) -> None:
    detector = RetinaFaceDetector(made_up_weights(tmp_path / "w.safetensors"))
    empty = ImageBatch(
        np.zeros((0, 64, 64, 3), np.uint8), np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2), np.int32)
    )
    assert detector.detect(empty) == []
    with pytest.raises(PictureError, match="multiples of 32"):
        detector.detect(made_up_batch(1, (60, 64)))
    with pytest.raises(PictureError, match="multiples of 32"):
        detector.warm_up((60, 64))


def test_warm_up_leaves_nothing_to_compile(tmp_path: Path) -> None:
    detector = RetinaFaceDetector(made_up_weights(tmp_path / "w.safetensors"))
    detector.warm_up((96, 64), [1, 3, 100])
    compiled = dict(detector._finder._candidates._compiled._compiled)
    assert list(compiled) == [((96, 64, 3, "uint8"),)]
    detector.detect(made_up_batch(3, (96, 64)))
    assert detector._finder._candidates._compiled._compiled == compiled


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    tensors = made_up_tensors(RetinaFaceConfig())
    arguments = {"config": RetinaFaceConfig().to_mapping(), "source": "made up"}
    path = tmp_path / "w.safetensors"
    save_weights(path, tensors, architecture="mask_state", **arguments)
    with pytest.raises(WeightsError, match="expected 'retinaface'"):
        RetinaFaceDetector(path)
    save_weights(path, tensors | {"more": np.zeros(1, np.float32)}, architecture="retinaface", **arguments)
    with pytest.raises(WeightsError, match="more is not known"):
        RetinaFaceDetector(path)
    del tensors["BboxHead.0.conv1x1/bias"]
    save_weights(path, tensors, architecture="retinaface", **arguments)
    with pytest.raises(WeightsError, match="BboxHead"):
        RetinaFaceDetector(path)


def test_numbers_that_are_not_finite_are_an_error_and_not_an_empty_street() -> None:
    network = build_retinaface(RetinaFaceConfig(folded=True))
    tensors = made_up_tensors(RetinaFaceConfig(folded=True))
    tensors["ClassHead.0.conv1x1/bias"][:] = np.nan
    assign_tensors(network, tensors, origin="w")
    with pytest.raises(InferenceError):
        NetworkDetector(network).detect(made_up_batch(2))


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    if resolved_device("auto") != "cpu:0":
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match="GPU"):
        RetinaFaceDetector(made_up_weights(tmp_path / "w.safetensors"), device="gpu")


def test_a_size_that_is_forgotten_is_compiled_again_when_it_comes_back() -> None:
    traced = []

    def brightness(pixels):
        traced.append(tuple(pixels.shape[1:3]))
        return (keras.ops.mean(keras.ops.cast(pixels, "float32"), axis=(1, 2, 3)),)

    function = CompiledBatchFunction(brightness, device="cpu")
    sizes = [(32, 64), (64, 32)]
    for _ in range(2):
        for height, width in sizes:
            assert function(np.full((1, height, width, 3), 7, np.uint8))[0] == pytest.approx([7])
    assert traced == sizes
    function.forget((32, 64))
    for height, width in sizes:
        function(np.full((1, height, width, 3), 7, np.uint8))
    assert traced == [*sizes, (32, 64)]


def test_padding_to_buckets_changes_nothing() -> None:
    function = CompiledBatchFunction(
        lambda pixels: (keras.ops.mean(keras.ops.cast(pixels, "float32"), axis=(1, 2, 3)),), device="cpu"
    )
    function._compiled.pads = True
    for count in (1, 2, 3, 5, 8, 9, 20):
        pixels = made_up_batch(count).pixels
        np.testing.assert_allclose(function(pixels)[0], pixels.mean(axis=(1, 2, 3)), rtol=1e-5)


def test_jax_sees_what_tensorflow_sees(tmp_path: Path) -> None:
    weights = made_up_weights(tmp_path / "w.safetensors")
    on_tensorflow, on_jax = seen_by_both("retinaface", tmp_path, weights)
    for name in ("box_deltas", "face_logits", "landmark_deltas"):
        assert on_jax[name].std() > 0.1
        np.testing.assert_allclose(on_jax[name], on_tensorflow[name], atol=1e-4, err_msg=name)
    assert len(on_jax["scores"]) > 10
    for name in ("scores", "boxes", "landmarks"):
        np.testing.assert_allclose(on_jax[name], on_tensorflow[name], atol=0.01, rtol=1e-4)
