"""What a weights file of the mask-state classifier says beside its numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from models.errors import WeightsError
from models.mask_state.config import MaskStateConfig
from models.mask_state.crops import CropGeometry


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The network, how crops are cut for it, and by what its logits are divided: those of state and of kind."""

    network: MaskStateConfig
    geometry: CropGeometry
    temperature: float
    kind_temperature: float

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, origin: object) -> Self:
        """Read the config of a weights file. Raises ``WeightsError`` (naming ``origin``) on anything else."""
        if set(mapping) - {"kind_temperature"} != {"network", "crops", "temperature"}:
            raise WeightsError(f"{origin}: its config is not one of a mask-state classifier")
        network = MaskStateConfig.from_mapping(mapping["network"], origin=origin)
        geometry = CropGeometry.from_mapping(mapping["crops"], origin=origin)
        if geometry.size_px != network.size_px:
            raise WeightsError(f"{origin}: crops of {geometry.size_px} do not fit the network")
        return cls(
            network,
            geometry,
            _temperature(mapping["temperature"], origin),
            _temperature(mapping.get("kind_temperature", 1.0), origin),
        )


def _temperature(value: Any, origin: object) -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise WeightsError(f"{origin}: its temperature is {value!r}")
    return float(value)
