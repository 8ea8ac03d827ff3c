"""The mask-state network: a backbone over one face crop, and what it answers.

Four logits tell the state: the three of ``FACE_MASK_CLASSES`` and a fourth, ``not_visible``, for crops in
which nobody could tell (no face, the back of a head, too few pixels). The fourth keeps the three honest:
without it such a crop must end up in one of them, and usually in ``without_mask``, for want of a mask.

Three more, where the network has them, tell the kind of mask, given that there is one; and four numbers, where it has
them, where the face ends (``boxes``).

Shapes: N faces, S side of the crop in pixels, K = 4 logits, or 7 with those of the kind behind them; the four numbers
of the box come last.
"""

from typing import Final

import keras

from models.mask_state.backbones import BATCH_NORM_EPSILONS, backbone_features
from models.mask_state.config import ARCHITECTURE, BOX_DELTAS, KINDS, LOGITS, NOT_VISIBLE, MaskStateConfig

__all__ = [
    "ANSWERING_LAYERS",
    "ARCHITECTURE",
    "BOX_DELTAS",
    "KINDS",
    "LOGITS",
    "NOT_VISIBLE",
    "MaskStateConfig",
    "batch_norms_of",
    "build_mask_state_network",
]

#: The layers behind the backbone.
ANSWERING_LAYERS: Final = ("hidden", "logits", "kinds", "box_features", "box")

#: Channels of each place that the box is told from: what it is told by is where things are, not what.
_BOX_CHANNELS: Final = 64


def build_mask_state_network(config: MaskStateConfig) -> keras.Model:
    """The network of ``config`` with untrained weights: (N, S, S, 3), RGB 0 to 255 -> float32 logits (N,
    K), or (N, K + 4) with the deltas of the box.
    """
    pixels = keras.Input((config.size_px, config.size_px, 3), name="pixels", dtype="float32")
    features, _ = backbone_features(config.backbone, pixels, width=config.width, folded=config.folded)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    if config.hidden:
        x = keras.layers.Dense(config.hidden, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    # in half precision, too, a loss needs whole numbers
    answers = [keras.layers.Dense(LOGITS, dtype="float32", name="logits")(x)]
    if config.kinds:
        answers.append(keras.layers.Dense(len(KINDS), dtype="float32", name="kinds")(x))
    if config.box:
        places = keras.layers.Conv2D(_BOX_CHANNELS, 1, activation="relu", name="box_features")(features)
        places = keras.layers.Flatten(name="box_places")(places)
        answers.append(keras.layers.Dense(BOX_DELTAS, dtype="float32", name="box")(places))
    joined = (
        keras.layers.Concatenate(dtype="float32", name="answers")(answers) if len(answers) > 1 else answers[0]
    )
    return keras.Model(pixels, joined, name=ARCHITECTURE)


def batch_norms_of(config: MaskStateConfig) -> dict[str, str]:
    """Name of each convolution of the network that can be folded to the name of the batch norm behind it."""
    if config.backbone not in BATCH_NORM_EPSILONS:
        return {}
    pixels = keras.KerasTensor((1, config.size_px, config.size_px, 3))
    return backbone_features(config.backbone, pixels, width=config.width, folded=True)[1]
