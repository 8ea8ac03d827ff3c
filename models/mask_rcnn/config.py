"""Which Mask R-CNN: what its weights file must remember so that the network can be built again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self, get_args

from models.errors import WeightsError

#: The name under which weights files know this network.
ARCHITECTURE: Final = "mask_rcnn"

#: What older weights files do not mention.
_YOUNGER: Final = frozenset({"corner_aligned"})

Backbone = Literal["mobilenet_v1", "mobilenet_v2", "resnet50", "resnet101"]
Normalisation = Literal["caffe", "tf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRcnnConfig:
    """What distinguishes one Mask R-CNN from another; the defaults are Matterport's.

    - ``categories``: names of what it can find, background left out; their order is that of the outputs.
    - ``backbone``, ``width``: the latter multiplies the backbone's channels.
    - ``normalisation``: of the input: ``caffe`` subtracts the mean colour, ``tf`` maps 0..255 to -1..1.
    - ``folded``: batch norms are folded into the convolutions before them (as shipped), or never were there.
    - ``pyramid_channels``, ``rpn_channels``, ``box_units``, ``mask_channels``: widths of the parts.
    - ``anchor_scales_px``: side of the square anchor of each pyramid level, P2 to P6, in input pixels.
    - ``anchor_ratios``: height by width of the anchors of each level.
    - ``canonical_px``: boxes of this side, in input pixels, are looked at on P4 (224 in Lin et al. 2017; half
      of it: one level finer).
    - ``cell_offset``: where in its cell a feature and its anchors stand: 0.5 in the middle, 0 at the upper left
      corner as Matterport has it.
    - ``sampling_points``: RoIAlign samples this many points per bin and axis.
    - ``corner_aligned``: it samples from edge to edge, as Matterport's weights expect (``LevelGeometry``);
      files from before it was told apart do not have it.
    """

    categories: tuple[str, ...]
    backbone: Backbone = "resnet101"
    width: float = 1.0
    normalisation: Normalisation = "caffe"
    folded: bool = False
    pyramid_channels: int = 256
    rpn_channels: int = 512
    box_units: int = 1024
    mask_channels: int = 256
    anchor_scales_px: tuple[float, ...] = (32.0, 64.0, 128.0, 256.0, 512.0)
    anchor_ratios: tuple[float, ...] = (2.0, 1.0, 0.5)
    canonical_px: float = 224.0
    cell_offset: float = 0.0
    sampling_points: int = 2
    corner_aligned: bool = False

    def __post_init__(self) -> None:
        if not self.categories or len(set(self.categories)) != len(self.categories):
            raise ValueError("categories: needs at least one, and none twice")
        if self.backbone not in get_args(Backbone) or self.normalisation not in get_args(Normalisation):
            raise ValueError(f"there is no backbone {self.backbone!r} with {self.normalisation!r}")
        if len(self.anchor_scales_px) != 5 or min(self.anchor_scales_px) <= 0:
            raise ValueError("anchor_scales_px: needs one above 0 for each of P2 to P6")
        if not self.anchor_ratios or min(self.anchor_ratios) <= 0:
            raise ValueError("anchor_ratios: needs at least one, all above 0")
        counts = (self.pyramid_channels, self.rpn_channels, self.box_units, self.mask_channels)
        if min(*counts, self.sampling_points) < 1 or min(self.width, self.canonical_px) <= 0:
            raise ValueError("widths and counts must be above 0")

    @property
    def class_count(self) -> int:
        """Outputs of the classifier: background, which is 0, and the categories."""
        return 1 + len(self.categories)

    def to_mapping(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read what ``to_mapping`` wrote. Raises ``WeightsError`` (naming ``origin``) on anything else."""
        known = {field.name for field in fields(cls)}
        if set(mapping) | _YOUNGER != known:
            raise WeightsError(f"{origin}: its config has {sorted(mapping)}, expected {sorted(known)}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in mapping.items()
        }
        try:
            return cls(**values)
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"{origin}: its config asks for a network that does not exist: {error}"
            ) from error
