"""The mask-state network: MobileNetV1 at a quarter of its width over one face crop.

Four logits: the three of ``FACE_MASK_CLASSES`` and a fourth, ``not_visible``, for crops in which nobody could
tell (no face, the back of a head, too few pixels). The fourth keeps the three honest: without it such a crop
must end up in one of them, and usually in ``without_mask``, for want of a mask.

Shapes: N faces, S side of the crop in pixels, K = 4 logits.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

import keras

from models.errors import WeightsError
from models.retinaface.backbones import mobilenet_v1_quarter
from models.retinaface.layers import ConvBlocks

#: Index of the logit that says that nothing can be told; those before it follow ``FACE_MASK_CLASSES``.
NOT_VISIBLE: Final = 3
LOGITS: Final = 4

#: The name under which weights files know this network.
ARCHITECTURE: Final = "mask_state"

# ImageNet's mean and spread over the three channels, which the initialisation was trained with.
_PIXEL_MEAN: Final = (123.7, 116.3, 103.5)
_PIXEL_SPREAD: Final = (58.4, 57.1, 57.4)


@dataclass(frozen=True, slots=True)
class MaskStateConfig:
    """What the builder needs to know.

    - ``size_px``: side S of the input, a multiple of 32.
    - ``dropout``: share of the features dropped before the logits, in training.
    - ``folded``: whether batch norms have been folded into the convolutions before them (faster, cannot
      learn).
    """

    size_px: int = 96
    dropout: float = 0.2
    folded: bool = False

    def __post_init__(self) -> None:
        if self.size_px < 32 or self.size_px % 32:
            raise ValueError(f"size_px must be a multiple of 32, got {self.size_px}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in 0 to 1, got {self.dropout}")

    def to_mapping(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read what ``to_mapping`` wrote. Raises ``WeightsError`` (naming ``origin``) on anything else."""
        known = {field.name for field in fields(cls)}
        if set(mapping) != known:
            raise WeightsError(
                f"{origin}: its network config has {sorted(mapping)}, expected {sorted(known)}"
            )
        try:
            return cls(**mapping)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"{origin}: its network config is wrong: {error}") from error


def build_mask_state_network(config: MaskStateConfig) -> keras.Model:
    """The network of ``config`` with untrained weights: (N, S, S, 3), RGB 0 to 255 -> float32 logits (N,
    K).
    """
    pixels = keras.Input((config.size_px, config.size_px, 3), name="pixels", dtype="float32")
    features = _features(ConvBlocks(folded=config.folded), pixels)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    x = keras.layers.Dropout(config.dropout, name="dropout")(x)
    return keras.Model(pixels, keras.layers.Dense(LOGITS, name="logits")(x), name=ARCHITECTURE)


def batch_norms_of(config: MaskStateConfig) -> dict[str, str]:
    """Name of each convolution of the network to the name of the batch norm behind it."""
    blocks = ConvBlocks(folded=True)
    _features(blocks, keras.KerasTensor((1, config.size_px, config.size_px, 3)))
    return blocks.batch_norms


def _features(blocks: ConvBlocks, pixels: Any) -> Any:
    # zero is the mean colour, with which the first convolution pads
    mean, spread = (keras.ops.array(value, "float32") for value in (_PIXEL_MEAN, _PIXEL_SPREAD))
    return mobilenet_v1_quarter(blocks, (pixels - mean) / spread)[-1]
