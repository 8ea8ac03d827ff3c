"""Take over the weights of Matterport's Mask R-CNN (``mask_rcnn_coco.h5`` and what was trained from it), and
write them.

Layers have one name in both. What differs:

==================================  =========================================================================
Matterport                          here
==================================  =========================================================================
deltas (dy, dx, log dh, log dw)     (dx, dy, log dw, log dh): columns of ``rpn_bbox_pred``, ``mrcnn_bbox_fc``
``rpn_model``, a model in the       its layers beside the others
model
``mrcnn_mask`` with its sigmoid     the same weights, answering logits
==================================  =========================================================================

Both standardise deltas by 0.1, 0.1, 0.2, 0.2, order the anchors of a place as tall, square, wide, and subtract
the mean colour from R, G, B. What is taken over looks at boxes with one sample per bin, from edge to edge, as it was
trained to (``MaskRcnnConfig.corner_aligned``). The file says nothing about anchor scales or names of categories.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.mask_rcnn.coco_categories import COCO_CATEGORIES
from models.mask_rcnn.config import ARCHITECTURE, Backbone, MaskRcnnConfig
from models.mask_rcnn.network import MaskRcnn
from models.weights import load_weights, save_weights
from models.weights.files import match_tensors
from models.weights.keras_h5 import KerasLayers, read_keras_h5, tensors_by_name, write_keras_h5
from models.weights.keras_variables import named_variables

Tensors = dict[str, NDArray[np.float32]]

#: The layers whose shapes depend on the categories: left out where others are to be trained.
CLASS_LAYERS: Final = ("mrcnn_class_logits", "mrcnn_bbox_fc", "mrcnn_mask")

_DELTA_LAYERS: Final = ("rpn_bbox_pred", "mrcnn_bbox_fc")
_RPN_MODEL: Final = "rpn_model"
_RPN_LAYERS: Final = ("rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred")

#: What Keras 2 appended to names inside a model that was built a second time.
_BUILT_AGAIN: Final = re.compile(r"^(rpn_conv_shared|rpn_class_raw|rpn_bbox_pred)_\d+(?=/)")


def import_matterport(
    source: Path,
    target: Path,
    *,
    categories: Sequence[str] | None = None,
    exclude: Collection[str] = (),
    anchor_scales_px: Sequence[float] | None = None,
) -> str:
    """Convert a file of Matterport's layout into a weights file of the whole network; return its digest.

    Arguments and errors are those of ``read_matterport``.
    """
    config, tensors = read_matterport(
        source, categories=categories, exclude=exclude, anchor_scales_px=anchor_scales_px
    )
    return save_weights(
        target,
        tensors,
        architecture=ARCHITECTURE,
        config=config.to_mapping(),
        source=f"imported from {source.name} (Matterport)",
    )


def read_matterport(
    source: Path,
    *,
    categories: Sequence[str] | None = None,
    exclude: Collection[str] = (),
    anchor_scales_px: Sequence[float] | None = None,
) -> tuple[MaskRcnnConfig, Tensors]:
    """Configuration and tensors of the network in a file of Matterport's layout.

    - ``categories``: names, background left out; by default those of COCO when the file has as many.
    - ``exclude``: layers that are not taken from the file; those that the network has are drawn anew, the same
      each time. ``CLASS_LAYERS`` when ``categories`` are not those of the file.
    - ``anchor_scales_px``: ``RPN_ANCHOR_SCALES`` of the training, by default Matterport's.

    Raises ``WeightsError`` when the file cannot be read, layers are missing or unknown, or of other shapes.
    """
    found = tensors_by_name(read_keras_h5(source), origin=source)
    tensors = {_BUILT_AGAIN.sub(r"\1", name): value for name, value in found.items()}
    tensors = {name: value for name, value in tensors.items() if _layer(name) not in exclude}
    config = _config_of(tensors, categories, anchor_scales_px, origin=source)
    shapes = _shapes_of(config)
    anew = _drawn_anew({name: shape for name, shape in shapes.items() if _layer(name) in exclude})
    match_tensors(source, {**anew, **tensors}, shapes)
    return config, {**anew, **with_turned_deltas(tensors)}


def export_matterport(source: Path, target: Path) -> None:
    """Write the network of one of our weights files in Matterport's layout.

    Raises ``WeightsError`` when the file is no Mask R-CNN, not on a ResNet, without its batch norms, or cannot
    be written.
    """
    stored = load_weights(source, architecture=ARCHITECTURE)
    config = MaskRcnnConfig.from_mapping(stored.config, origin=source)
    if config.folded or not config.backbone.startswith("resnet"):
        raise WeightsError(f"{source}: Matterport's layout is for ResNets with their batch norms")
    if config.width != 1 or config.normalisation != "caffe" or len(config.anchor_ratios) != 3:
        raise WeightsError(f"{source}: differs from Matterport's network in more than its weights")
    shapes = _shapes_of(config)
    match_tensors(source, stored.tensors, shapes)
    write_keras_h5(target, matterport_layers({name: stored.tensors[name] for name in shapes}))


def matterport_layers(tensors: Mapping[str, NDArray[np.float32]]) -> KerasLayers:
    """Our tensors as the layers of a file of Matterport's layout, in their order."""
    layers: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, value in with_turned_deltas(tensors).items():
        layer = _layer(name)
        group = _RPN_MODEL if layer in _RPN_LAYERS else layer
        layers.setdefault(group, {})[f"{name}:0"] = value
    return layers


def with_turned_deltas(tensors: Mapping[str, NDArray[np.float32]]) -> Tensors:
    """``tensors`` with x and y, and w and h, of all deltas exchanged: there and back again."""
    turned = dict(tensors)
    for name, value in tensors.items():
        if _layer(name) in _DELTA_LAYERS:
            if value.shape[-1] % 4:
                raise WeightsError(f"{name} is {value.shape}, which are no deltas")
            fours = value.reshape(*value.shape[:-1], -1, 4)
            turned[name] = np.ascontiguousarray(fours[..., [1, 0, 3, 2]].reshape(value.shape))
    return turned


def _config_of(
    tensors: Tensors,
    categories: Sequence[str] | None,
    anchor_scales_px: Sequence[float] | None,
    *,
    origin: Path,
) -> MaskRcnnConfig:
    def channels(name: str) -> int:
        if name not in tensors or not tensors[name].ndim:
            raise WeightsError(f"{origin}: {name} is missing: this is no Mask R-CNN of Matterport's")
        return int(tensors[name].shape[-1])

    backbone: Backbone = "resnet101" if "res4w_branch2a/kernel" in tensors else "resnet50"
    if categories is None:
        found = channels("mrcnn_class_logits/bias") - 1
        if found != len(COCO_CATEGORIES):
            raise WeightsError(f"{origin}: finds {found} categories, whose names must be given")
        categories = COCO_CATEGORIES
    try:
        config = MaskRcnnConfig(
            categories=tuple(categories),
            backbone=backbone,
            pyramid_channels=channels("fpn_c5p5/bias"),
            rpn_channels=channels("rpn_conv_shared/bias"),
            box_units=channels("mrcnn_class_conv1/bias"),
            mask_channels=channels("mrcnn_mask_conv1/bias"),
            sampling_points=1,
            corner_aligned=True,
        )
        if anchor_scales_px is None:
            return config
        return replace(config, anchor_scales_px=tuple(map(float, anchor_scales_px)))
    except ValueError as error:
        raise WeightsError(f"{origin}: cannot be such a network: {error}") from error


@lru_cache(maxsize=8)
def _shapes_of(config: MaskRcnnConfig) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of the network's tensors, in the order of the data. Cached: building one takes seconds."""
    return {name: tuple(value.shape) for name, value in named_variables(MaskRcnn(config)).items()}


def _drawn_anew(shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Weights to start training from, as Keras draws them (Glorot and Bengio 2010), the same each time."""
    generator = np.random.default_rng(0)
    tensors = {}
    for name, shape in shapes.items():
        if name.endswith("/kernel"):
            reach = np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1])))
            tensors[name] = generator.uniform(-reach, reach, shape).astype(np.float32)
        else:
            ones = name.endswith(("/gamma", "/moving_variance"))
            tensors[name] = np.full(shape, 1 if ones else 0, np.float32)
    return tensors


def _layer(name: str) -> str:
    return name.partition("/")[0]
