"""Which mask-state network: what its weights file must remember so that it can be built again, and the order of its
answers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self, get_args

from models.errors import WeightsError

#: Index of the logit that says that nothing can be told; those before it follow ``FACE_MASK_CLASSES``.
NOT_VISIBLE: Final = 3
LOGITS: Final = 4

#: Kinds of face mask, in the order of the logits that tell them.
KINDS: Final = ("surgical", "respirator", "cloth")

#: The name under which weights files know this network.
ARCHITECTURE: Final = "mask_state"

#: Numbers that tell a box.
BOX_DELTAS: Final = 4

Backbone = Literal["mobilenet_v1_quarter", "mobilenet_v1", "mobilenet_v3_small", "xception"]

#: Smallest side of a crop.
LEAST_SIZE_PX: Final[Mapping[Backbone, int]] = {
    "mobilenet_v1_quarter": 32,
    "mobilenet_v1": 32,
    "mobilenet_v3_small": 32,
    "xception": 96,
}

# The entries that every weights file has; files older than the others mean their defaults.
_FIRST_ENTRIES: Final = frozenset({"size_px", "dropout", "folded"})


@dataclass(frozen=True, slots=True)
class MaskStateConfig:
    """What the builder needs to know.

    - ``size_px``: side S of the input, a multiple of 32.
    - ``dropout``: share of the features dropped before the logits, in training.
    - ``folded``: whether batch norms have been folded into the convolutions before them (faster, cannot
      learn).
    - ``backbone``: see ``models.mask_state.backbones``. ``width``: factor on its channels, where it takes one.
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
