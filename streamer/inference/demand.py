"""What one camera asks of the inference: how often, how urgently, at which size."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from models.detector import ModelSet
from models.letterbox import default_input_size, input_hw_for
from streamer.inference.tiling import Tiling

#: Share of its wish that a camera keeps under overload, relative to the others: each step up is worth twice
#: the looks.
PRIORITY_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {"low": 0.5, "normal": 1.0, "high": 2.0, "critical": 4.0}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDemand:
    """What one camera asks of the batcher.

    - ``fps``: wanted looks per second, above 0.
    - ``priority``: a key of ``PRIORITY_WEIGHTS``.
    - ``longest_side_px``: the network's longest side in pixels; None takes ``default_input_size`` of the
      picture.
    - ``models``: who looks at its pictures; None: all that are loaded.
    - ``tiling``: which parts of them are looked at too; None: the whole pictures alone.

    Raises ``ValueError`` on an unknown priority or values out of range.
    """

    camera_id: str
    fps: float
    priority: str = "normal"
    longest_side_px: int | None = None
    models: ModelSet = None
    tiling: Tiling | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fps < float("inf"):
            raise ValueError(f"fps must be above 0, got {self.fps}")
        if self.priority not in PRIORITY_WEIGHTS:
            raise ValueError(f"priority must be one of {', '.join(PRIORITY_WEIGHTS)}, got {self.priority!r}")
        if self.longest_side_px is not None and self.longest_side_px <= 0:
            raise ValueError(f"longest_side_px must be above 0, got {self.longest_side_px}")

    def input_hw(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """The network's input (H, W) for pictures of ``image_hw``."""
        return input_hw_for(image_hw, self.longest_side_px or default_input_size(image_hw))

    @property
    def pictures(self) -> int:
        """How many pictures the networks see with one look."""
        return 1 if self.tiling is None else self.tiling.pictures

    @property
    def shown(self) -> list[ModelSet]:
        """Who looks at each of them."""
        return [self.models] * self.pictures

    @property
    def weight(self) -> float:
        """The weight of its priority."""
        return PRIORITY_WEIGHTS[self.priority]
