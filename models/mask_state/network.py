"""The mask-state network: a backbone over one face crop, and what it answers.

Four logits tell the state: the three of ``FACE_MASK_CLASSES`` and a fourth, ``not_visible``, for crops in
which nobody could tell (no face, the back of a head, too few pixels). The fourth keeps the three honest:
without it such a crop must end up in one of them, and usually in ``without_mask``, for want of a mask.

Three more, where the network has them, tell the kind of mask, given that there is one; and four numbers, where it has
them, where the face ends (``boxes``).

Shapes: N faces, S side of the crop in pixels, K = 4 logits, or 7 with those of the kind behind them; the four numbers
of the box come last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self, get_args

import keras

from models.errors import WeightsError
from models.mask_state.backbones import BATCH_NORM_EPSILONS, LEAST_SIZE_PX, Backbone, backbone_features

#: Index of the logit that says that nothing can be told; those before it follow ``FACE_MASK_CLASSES``.
NOT_VISIBLE: Final = 3
LOGITS: Final = 4

#: Kinds of face mask, in the order of the logits that tell them.
KINDS: Final = ("surgical", "respirator", "cloth")

#: The name under which weights files know this network.
ARCHITECTURE: Final = "mask_state"

#: The layers behind the backbone.
ANSWERING_LAYERS: Final = ("hidden", "logits", "kinds", "box_features", "box")

#: Numbers that tell a box.
BOX_DELTAS: Final = 4
#: Channels of each place that the box is told from: what it is told by is where things are, not what.
_BOX_CHANNELS: Final = 64

# The entries that every weights file has; files older than the others mean their defaults.
_FIRST_ENTRIES: Final = frozenset({"size_px", "dropout", "folded"})


@dataclass(frozen=True, slots=True)
class MaskStateConfig:
    """What the builder needs to know.

    - ``size_px``: side S of the input, a multiple of 32.
    - ``dropout``: share of the features dropped before the logits, in training.
    - ``folded``: whether batch norms have been folded into the convolutions before them (faster, cannot
      learn).
    - ``backbone``: see ``backbones``. ``width``: factor on its channels, where it takes one.
    - ``hidden``: units of a layer between backbone and logits; 0 for none.
    - ``kinds``: whether it tells the kind of mask. ``box``: whether it tells where the face ends.
    """

    size_px: int = 96
    dropout: float = 0.2
    folded: bool = False
    backbone: Backbone = "mobilenet_v1_quarter"
    width: float = 1.0
    hidden: int = 0
    kinds: bool = False
    box: bool = False

    @property
    def logits(self) -> int:
        """K: how many of the answers are logits."""
        return LOGITS + len(KINDS) * self.kinds

    def __post_init__(self) -> None:
        if self.backbone not in get_args(Backbone):
            raise ValueError(f"there is no backbone {self.backbone!r}; there are {', '.join(LEAST_SIZE_PX)}")
        least_px = LEAST_SIZE_PX[self.backbone]
        if self.size_px < least_px or self.size_px % 32:
            raise ValueError(f"size_px must be a multiple of 32 from {least_px}, got {self.size_px}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in 0 to 1, got {self.dropout}")
        if not 0.1 <= self.width <= 2:
            raise ValueError(f"width must lie in 0.1 to 2, got {self.width}")
        if self.width != 1 and self.backbone in ("mobilenet_v1_quarter", "xception"):
            raise ValueError(f"{self.backbone} has no other width, got {self.width}")
        if not 0 <= self.hidden <= 8192:
            raise ValueError(f"hidden must lie in 0 to 8192, got {self.hidden}")

    def to_mapping(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read what ``to_mapping`` wrote, now or before it had all of its entries.

        Raises ``WeightsError`` (naming ``origin``) on anything else.
        """
        known = {field.name for field in fields(cls)}
        if not _FIRST_ENTRIES <= set(mapping) <= known:
            raise WeightsError(
                f"{origin}: its network config has {sorted(mapping)}, expected {sorted(known)}"
            )
        try:
            return cls(**mapping)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{origin}: its network config is wrong: {error}") from error


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
