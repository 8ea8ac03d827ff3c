"""Which RetinaFace: what its weights file must remember so that the network can be built again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

from models.errors import WeightsError

#: The name under which weights files know this network.
ARCHITECTURE: Final = "retinaface"

Backbone = Literal["mobilenet0.25", "mobilenet0.5", "mobilenet1.0", "resnet50"]

#: Channels of the feature pyramid by backbone: as published with the first and the last.
PYRAMID_CHANNELS: Final[Mapping[Backbone, int]] = {
    "mobilenet0.25": 64,
    "mobilenet0.5": 64,
    "mobilenet1.0": 64,
    "resnet50": 256,
}

#: Share of MobileNetV1's channels by backbone.
MOBILENET_WIDTHS: Final[Mapping[str, float]] = {
    "mobilenet0.25": 0.25,
    "mobilenet0.5": 0.5,
    "mobilenet1.0": 1.0,
}


@dataclass(frozen=True, slots=True)
class RetinaFaceConfig:
    """What distinguishes one RetinaFace from another.

    - ``backbone``: ``mobilenet0.25`` (0.4 million weights), ``mobilenet0.5`` (1.1 million), ``mobilenet1.0``
      (3.6 million) or ``resnet50`` (27 million).
    - ``folded``: whether batch norms have been folded into the convolutions before them. Folded networks
      are faster and cannot learn statistics any more.
    """

    backbone: Backbone = "mobilenet0.25"
    folded: bool = False

    @property
    def pyramid_channels(self) -> int:
        """Channels of each level of the feature pyramid."""
        return PYRAMID_CHANNELS[self.backbone]

    @property
    def slope(self) -> float:
        """Of the leaky ReLUs behind the backbone."""
        # as published: leaky only where the pyramid is narrow
        return 0.1 if self.pyramid_channels <= 64 else 0.0

    def to_mapping(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read what ``to_mapping`` wrote. Raises ``WeightsError`` (naming ``origin``) on anything else."""
        known = {field.name for field in fields(cls)}
        if set(mapping) != known:
            raise WeightsError(f"{origin}: its config has {sorted(mapping)}, expected {sorted(known)}")
        if mapping["backbone"] not in PYRAMID_CHANNELS or not isinstance(mapping["folded"], bool):
            raise WeightsError(
                f"{origin}: its config asks for a network that does not exist: {dict(mapping)}"
            )
        return cls(**mapping)
