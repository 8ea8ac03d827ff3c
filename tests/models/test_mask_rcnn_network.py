"""The network as a whole: shapes, folding, files, backends."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from both_backends import seen_by_both
from mask_rcnn_builders import TINY, made_up_network, made_up_tensors

from models.errors import InferenceError, PictureError, WeightsError
from models.letterbox import letterbox_batch
from models.mask_rcnn.backbones import BACKBONES
from models.mask_rcnn.config import ARCHITECTURE, MaskRcnnConfig
from models.mask_rcnn.detections import choose_detections
from models.mask_rcnn.detector import MaskRcnnDetector, NetworkMaskRcnn, load_mask_rcnn
from models.mask_rcnn.folding import fold_batch_norms
from models.mask_rcnn.network import MaskRcnn
from models.mask_rcnn.settings import DetectionSettings, ProposalSettings
from models.pictures import ArrayPicture
from models.structures import Category
from models.weights import save_weights
from models.weights.keras_variables import assign_tensors, named_variables

FEW = ProposalSettings(candidates=60, count=20)
CHOSEN = DetectionSettings(score_threshold=0.05, candidates=30, count=10)


def numbers(value):
    return np.array(keras.ops.convert_to_numpy(value))


def some_pictures(count, image_hw=(96, 128), seed=3):
    rng = np.random.default_rng(seed)
    return [ArrayPicture(rng.integers(0, 255, (*image_hw, 3)).astype(np.uint8)) for _ in range(count)]


def weights_file(path, config=TINY):
    network = MaskRcnn(config)
    save_weights(
        path,
        made_up_tensors(network),
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source="made up",
    )
    return path


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_every_backbone_halves_five_times_and_the_anchors_fit_the_answers(backbone):
    config = replace(TINY, backbone=backbone, width=1.0 if "resnet" in backbone else 0.25)
    network = MaskRcnn(config)
    assert network.strides == (4, 8, 16, 32, 64)
    spec = network.trunk.compute_output_spec(keras.KerasTensor((2, 96, 160, 3), "float32"))
    assert [tuple(level.shape) for level in spec[:5]] == [
        (2, 24, 40, 16),
        (2, 12, 20, 16),
        (2, 6, 10, 16),
        (2, 3, 5, 16),
        (2, 2, 3, 16),
    ]
    count = len(network.anchors((96, 160)))
    assert tuple(spec[5].shape) == (2, count, 2)
    assert tuple(spec[6].shape) == (2, count, 4)


def test_layers_bear_matterports_names():
    names = {name.split("/")[0] for name in named_variables(MaskRcnn(TINY))}
    assert {"fpn_c5p5", "fpn_p2", "rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred"} <= names
    assert {"mrcnn_class_conv1", "mrcnn_class_bn2", "mrcnn_class_logits", "mrcnn_bbox_fc"} <= names
    assert {"mrcnn_mask_conv4", "mrcnn_mask_bn1", "mrcnn_mask_deconv", "mrcnn_mask"} <= names


def test_answers_have_the_promised_shapes_and_order():
    network = made_up_network()
    pixels = np.stack([picture.rgb() for picture in some_pictures(2)])
    boxes, scores, classes, levels = network.find(pixels, FEW, CHOSEN)
    boxes, scores, classes = numbers(boxes), numbers(scores), numbers(classes)
    assert boxes.shape == (2, 10, 4)
    assert (np.diff(scores, axis=1) <= 0).all()
    found = scores > 0
    assert found.any()
    assert set(np.unique(classes[found])) <= {1, 2}
    assert boxes[..., [0, 2]].max() <= 128
    assert boxes[..., [1, 3]].max() <= 96
    seg_masks = network.segment(levels, boxes[0, :3], np.zeros(3, np.int32), classes[0, :3])
    assert numbers(seg_masks).shape == (3, 28, 28)


def test_a_picture_alone_and_in_a_batch_is_seen_alike():
    network = NetworkMaskRcnn(made_up_network(), score_threshold=0.05, proposals=FEW, detections=CHOSEN)
    pictures = some_pictures(3)
    together = network.detect_batch(letterbox_batch(pictures, (96, 128)))
    for picture, seen in zip(pictures, together, strict=True):
        alone = network.detect_batch(letterbox_batch([picture], (96, 128)))[0]
        assert len(seen) == len(alone) > 0
        np.testing.assert_allclose(seen.boxes_xyxy, alone.boxes_xyxy, atol=1e-2)
        np.testing.assert_allclose(seen.seg_masks, alone.seg_masks, atol=1e-3)


def test_more_pictures_than_a_turn_takes():
    network = NetworkMaskRcnn(made_up_network(), score_threshold=0.05, proposals=FEW, detections=CHOSEN)
    pictures = some_pictures(11, (64, 64))
    found = network.detect_batch(letterbox_batch(pictures, (64, 64)))
    assert len(found) == 11
    last = network.detect_batch(letterbox_batch(pictures[-1:], (64, 64)))[0]
    np.testing.assert_allclose(found[-1].scores, last.scores, atol=1e-4)


def test_boxes_come_back_in_pixels_of_the_picture():
    network = NetworkMaskRcnn(made_up_network(), score_threshold=0.05, proposals=FEW, detections=CHOSEN)
    small = some_pictures(1)[0]
    large = ArrayPicture(np.repeat(np.repeat(small.rgb(), 2, 0), 2, 1))
    seen = network.detect_batch(letterbox_batch([small], (96, 128)))[0]
    enlarged = network.detect_batch(letterbox_batch([large], (96, 128)))[0]
    assert (enlarged.image_hw, enlarged.input_scale) == ((192, 256), 0.5)
    np.testing.assert_allclose(enlarged.boxes_xyxy, 2 * seen.boxes_xyxy, atol=1e-2)


def test_folding_changes_nothing_but_the_count_of_layers():
    network = made_up_network()
    tensors = made_up_tensors(network)
    config, folded = fold_batch_norms(TINY, tensors, origin="made up")
    assert config.folded
    assert not any("moving_mean" in name for name in folded)
    light = MaskRcnn(config)
    assign_tensors(light, folded, origin="folded")
    pixels = np.stack([picture.rgb() for picture in some_pictures(1)])
    np.testing.assert_allclose(
        numbers(light.look(pixels).rpn_logits), numbers(network.look(pixels).rpn_logits), atol=0.01, rtol=1e-3
    )
    again, same = fold_batch_norms(config, folded, origin="folded")
    assert again is config
    assert same.keys() == folded.keys()


def test_folding_names_what_is_missing():
    tensors = made_up_tensors(MaskRcnn(TINY))
    del tensors["mrcnn_class_bn1/gamma"]
    with pytest.raises(WeightsError, match="mrcnn_class_bn1/gamma"):
        fold_batch_norms(TINY, tensors, origin="a file")


def test_each_class_of_a_proposal_may_be_a_detection():
    logits = np.log(np.array([[[0.1, 0.5, 0.4], [0.98, 0.01, 0.01]]], np.float32))
    deltas = np.zeros((1, 2, 3, 4), np.float32)
    proposals = np.array([[[10, 10, 20, 20], [30, 30, 40, 40]]], np.float32)
    boxes, scores, classes = choose_detections(
        logits, deltas, proposals, np.ones((1, 2), bool), input_hw=(64, 64), settings=CHOSEN
    )
    np.testing.assert_allclose(numbers(scores)[0, :3], [0.5, 0.4, 0], atol=1e-6)
    np.testing.assert_array_equal(numbers(classes)[0, :2], [1, 2])
    np.testing.assert_allclose(numbers(boxes)[0, :2], [[10, 10, 20, 20]] * 2, atol=1e-4)


def test_the_file_says_all_that_is_needed(tmp_path):
    detector = MaskRcnnDetector(weights_file(tmp_path / "w.safetensors"), score_threshold=0.05, proposals=FEW)
    assert detector.digests["maskrcnn"].startswith("sha256:")
    network = NetworkMaskRcnn(made_up_network(), score_threshold=0.05, proposals=FEW)
    pictures = some_pictures(1)
    seen = detector.detect(pictures, (96, 128))[0]
    made = network.detect_batch(letterbox_batch(pictures, (96, 128)))[0]
    assert len(seen) == len(made) > 3
    np.testing.assert_allclose(seen.scores, made.scores, atol=1e-4)
    assert set(seen.class_ids.tolist()) <= {int(Category.HARD_HAT), int(Category.BARE_HEAD)}


def test_a_network_of_other_words_keeps_only_those_that_the_product_knows():
    config = replace(TINY, categories=("kite", "person"))
    network = NetworkMaskRcnn(made_up_network(config), score_threshold=0.01, proposals=FEW)
    seen = network.detect_batch(letterbox_batch(some_pictures(1), (96, 128)))[0]
    assert set(seen.class_ids.tolist()) == {int(Category.PERSON)}


def test_what_cannot_be_is_refused(tmp_path):
    network = NetworkMaskRcnn(made_up_network(), proposals=FEW)
    with pytest.raises(PictureError, match="multiple of 32"):
        network.detect_batch(letterbox_batch(some_pictures(1), (100, 128)))
    with pytest.raises(WeightsError, match="missing"):
        load_mask_rcnn(tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="does not exist"):
        MaskRcnnConfig.from_mapping(TINY.to_mapping() | {"backbone": "vgg"}, origin="a file")
    with pytest.raises(WeightsError, match="expected"):
        MaskRcnnConfig.from_mapping({"backbone": "resnet50"}, origin="a file")
    broken = made_up_network()
    for variable in broken.box_head.get_layer("mrcnn_class_logits").weights:
        variable.assign(np.full(variable.shape, np.nan))
    with pytest.raises(InferenceError, match="finite"):
        NetworkMaskRcnn(broken, proposals=FEW).detect_batch(letterbox_batch(some_pictures(1), (64, 64)))


def test_xla_compiles_it_to_the_same_answers():
    network = made_up_network()
    pixels = np.stack([picture.rgb() for picture in some_pictures(1, (64, 64))])

    def find(images):
        return network.find(images, FEW, CHOSEN)[:3]

    compiled = tf.function(find, jit_compile=True, autograph=False)(tf.constant(pixels))
    for one, other in zip(compiled, find(pixels), strict=True):
        # boxes are compared in hundredths of a pixel: XLA sums in another order
        np.testing.assert_allclose(numbers(one), numbers(other), atol=0.02)


def test_jax_sees_what_tensorflow_sees(tmp_path):
    on_tensorflow, on_jax = seen_by_both("mask_rcnn", tmp_path, weights_file(tmp_path / "w.safetensors"))
    for name in ("rpn_logits", "rpn_deltas", "logits", "deltas", "pixel_logits"):
        assert on_jax[name].std() > 0.05, name
        # made-up weights answer in tens: a ten-thousandth of the largest answer
        largest = max(1.0, float(np.abs(on_tensorflow[name]).max()))
        np.testing.assert_allclose(
            on_jax[name], on_tensorflow[name], atol=1e-4 * largest, rtol=0, err_msg=name
        )
    assert len(on_jax["scores"]) > 3
    for name in ("scores", "boxes", "seg_masks"):
        np.testing.assert_allclose(on_jax[name], on_tensorflow[name], atol=0.05, rtol=1e-3)
