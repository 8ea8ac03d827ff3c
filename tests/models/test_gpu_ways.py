"""What Keras' networks do on a GPU, shown on a processor: compiled with XLA, in bfloat16, fetched in turns."""

import logging
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from mask_rcnn_builders import TINY, made_up_network, made_up_tensors
from retinaface_builders import made_up_weights

from models.combined_detector import CombinedDetector
from models.loading import _ways
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.networks import half_precision
from models.networks.compiled import (
    GPU_BATCH_BUCKETS,
    CompiledBatchFunction,
    CompiledFunction,
    batch_buckets,
    fetched,
)
from models.networks.half_precision import computing_in, keras_precision
from models.pictures import ArrayPicture
from models.retinaface.keras_candidates import candidates, network_of
from models.runtime.equality import likely_pictures
from models.runtime.session import SessionOptions
from models.structures import Detections, ImageBatch
from models.weights import load_weights
from models.weights.keras_variables import assign_tensors

HW = (64, 96)


def test_xla_answers_as_the_graph_does_in_whatever_batch(tmp_path: Path) -> None:
    weights = made_up_weights(tmp_path / "w.safetensors")
    network = network_of(load_weights(weights), origin=weights, device="cpu")
    with_xla, without = (
        CompiledFunction(lambda pixels: candidates(network, pixels), "cpu:0", (1, 2), xla=xla)
        for xla in (True, False)
    )
    assert with_xla.pads
    assert not without.pads
    for count in (1, 2):
        pixels = likely_pictures(HW, count)
        for ours, theirs in zip(fetched(with_xla(pixels)), fetched(without(pixels)), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=0.01, rtol=1e-3)


def test_the_whole_mask_rcnn_is_one_that_xla_takes(caplog) -> None:
    network = made_up_network()
    proposals, detections = ProposalSettings(count=20), DetectionSettings(score_threshold=0.0)
    find = CompiledFunction(
        lambda pixels: network.find(pixels, proposals, detections)[:3], "cpu:0", (1,), xla=True
    )
    boxes, scores, _classes = fetched(find(likely_pictures((128, 128), 1)))
    expected = network.find(keras.ops.array(likely_pictures((128, 128), 1)), proposals, detections)
    np.testing.assert_allclose(scores, fetched(expected[1:2])[0], atol=1e-3)
    # detections of equal scores may change places
    apart = np.abs(boxes[0][:, None] - fetched(expected[:1])[0][0][None]).max(-1)
    assert apart.min(1).max() < 0.5
    assert "runs without" not in caplog.text


def test_what_xla_lacks_runs_without_it(caplog) -> None:
    import tensorflow as tf  # noqa: PLC0415

    def encoded(pixels):
        return (tf.strings.length(tf.strings.as_string(pixels[:, 0, 0, :1])),)

    function = CompiledFunction(encoded, "cpu:0", (1, 2), xla=True)
    with caplog.at_level(logging.WARNING):
        (lengths,) = fetched(function(np.full((1, 4, 4, 3), 255, np.uint8)))
    assert lengths.tolist() == [[3]]
    assert "XLA does not take a network" in caplog.text


def test_larger_batches_are_fetched_in_turns_and_in_their_order() -> None:
    function = CompiledBatchFunction(
        lambda pixels: (keras.ops.mean(keras.ops.cast(pixels, "float32"), axis=(1, 2, 3)),),
        device="cpu",
        buckets=(1, 2),
    )
    for pads in (False, True):
        function._compiled.pads = pads
        for count in (1, 2, 3, 4, 7):
            pixels = likely_pictures((32, 32), count)
            np.testing.assert_allclose(function(pixels)[0], pixels.mean(axis=(1, 2, 3)), rtol=1e-5)


def test_a_gpu_takes_larger_batches() -> None:
    assert batch_buckets("gpu:0") == GPU_BATCH_BUCKETS == (1, 2, 4, 8, 16, 32)
    assert batch_buckets("cpu:0")[-1] == 8


def test_bfloat16_is_for_gpus_that_are_asked_for_it(monkeypatch) -> None:
    half, whole = SessionOptions("bf16"), SessionOptions("f32")
    assert keras_precision(half, "cpu") == "f32"
    monkeypatch.setattr(half_precision, "resolved_device", lambda _device: "gpu:0")
    assert [keras_precision(options, "auto") for options in (half, whole, None)] == ["bf16", "f32", "f32"]
    asked = {
        precision: _ways("keras", precision, insisted=False)[0].options
        for precision in ("auto", "f32", "int8", "bf16")
    }
    assert asked == {"auto": None, "f32": None, "int8": None, "bf16": half}


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_network_in_bfloat16_answers_in_32_bits(tmp_path: Path, precision: str) -> None:
    weights = made_up_weights(tmp_path / "w.safetensors")
    stored = load_weights(weights)
    before = keras.config.dtype_policy()
    network = network_of(stored, origin=weights, device="cpu", precision=precision)
    assert keras.config.dtype_policy() is before or keras.config.dtype_policy().name == before.name
    half = sum(layer.compute_dtype == "bfloat16" for layer in network.layers)
    assert (half > 10) == (precision == "bf16")
    assert {str(variable.dtype) for variable in network.weights} == {"float32"}
    exact = network_of(stored, origin=weights, device="cpu")
    pixels = keras.ops.array(likely_pictures(HW, 1))
    (boxes, scores, landmarks), (_, expected, _) = (
        fetched(candidates(network, pixels)),
        fetched(candidates(exact, pixels)),
    )
    assert boxes.dtype == scores.dtype == landmarks.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=0.05 if precision == "bf16" else 1e-6)


def test_mask_rcnn_in_bfloat16_finds_what_it_did() -> None:
    exact = made_up_network()
    with computing_in("bf16"):
        half = MaskRcnn(TINY)
    assign_tensors(half, made_up_tensors(exact), origin="made up")
    pixels = keras.ops.array(likely_pictures((128, 128), 1))
    trunk, expected = half.look(pixels), exact.look(pixels)
    ours, theirs = fetched((trunk.rpn_logits, expected.rpn_logits))
    assert ours.dtype == np.float32
    # what made-up weights make of rounding: some tenths
    assert 0 < np.abs(ours - theirs).mean() < 0.3 * np.abs(theirs).mean()
    found = half.find(pixels, ProposalSettings(count=20), DetectionSettings(score_threshold=0.0))
    assert fetched(found[:1])[0].dtype == np.float32


class _Meeting:
    """A model that waits for the other one while it looks."""

    def __init__(self, both: threading.Barrier, error: Exception | None = None) -> None:
        self.both, self.error = both, error
        self.done = False

    def detect_batch(self, batch: ImageBatch, pictures: object = None) -> list[Detections]:
        self.both.wait(60)
        if self.error is not None:
            raise self.error
        self.done = True
        return [Detections.empty((32, 32), 1.0) for _ in range(len(batch))]


@pytest.mark.parametrize("runs_beside", [True, False])
def test_both_models_look_at_once_where_the_processor_is_free(runs_beside: bool) -> None:
    both = threading.Barrier(2 if runs_beside else 1)
    faces, gear = _Meeting(both), _Meeting(both)
    detector = CombinedDetector(faces, gear, runs_beside=runs_beside)  # type: ignore[arg-type]
    pictures = [ArrayPicture(likely_pictures((32, 32), 1)[0])] * 2
    assert [len(found) for found in detector.detect(pictures, (32, 32))] == [0, 0]
    assert faces.done
    assert gear.done


def test_an_error_of_one_model_is_told_when_the_other_is_done_too() -> None:
    both = threading.Barrier(2)
    pictures = [ArrayPicture(likely_pictures((32, 32), 1)[0])]
    for fails in ("faces", "gear"):
        models = {
            name: _Meeting(both, RuntimeError(name) if name == fails else None) for name in ("faces", "gear")
        }
        detector = CombinedDetector(models["faces"], models["gear"], runs_beside=True)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match=fails):
            detector.detect(pictures, (32, 32))
        assert [model.done for model in models.values()].count(True) == 1
