"""How one face mask differs from others of its template: its colours, its print, and how it is worn."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from models.data.synthetic_gear.face_mask_template import FaceMaskKind, FaceMaskTemplate, Rgb
from models.data.synthetic_gear.face_mask_templates import FACE_MASKS


class FaceMaskWear(StrEnum):
    """How a drawn face mask is worn: ``WORN`` as required, every other wrongly."""

    WORN = "worn"
    UNDER_NOSE = "under_nose"
    AT_CHIN = "at_chin"
    ONE_EAR = "one_ear"


#: Where the upper edge lies in the middle of the face, in mm below the eyes: the tip of a nose is at 42, a mouth at 69.
_UPPER_EDGE_MM: Final = {FaceMaskWear.UNDER_NOSE: (49.0, 57.0), FaceMaskWear.AT_CHIN: (86.0, 106.0)}
_WORN_LOWERED_MM: Final = (-2.0, 6.0)

#: How often each kind is seen, roughly.
_KIND_CHANCES: Final = {FaceMaskKind.SURGICAL: 0.45, FaceMaskKind.RESPIRATOR: 0.25, FaceMaskKind.CLOTH: 0.30}

_LIGHT_ACCENT, _DARK_ACCENT = (238, 236, 228), (44, 44, 52)
#: Other colours that fabrics are printed in.
_ACCENTS_RGB: Final[tuple[Rgb, ...]] = (
    (178, 52, 58), (52, 84, 148), (226, 188, 84), (74, 124, 92), (212, 138, 164), (110, 82, 66), (120, 164, 196),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaceMaskLook:
    """Everything that differs between two face masks of one template.

    - ``colour_rgb``: of the fabric. ``print_name``, ``accent_rgb``: of ``textures.PRINTS``, and its colour.
    - ``lowered_mm``: how far it is pulled down. ``askew_deg``: turned clockwise; ``shifted_mm``: to the right;
      ``scale``: of its size.
    - ``hangs_from``: 0, or the ear that it hangs from: -1 the viewer's left one, 1 the right one.
    - ``disc_colour``: which of the colours of its valves and filters.
    - ``seed``: of grain and wrinkles.
    """

    colour_rgb: Rgb
    print_name: str = "plain"
    accent_rgb: Rgb = _LIGHT_ACCENT
    lowered_mm: float = 0.0
    askew_deg: float = 0.0
    shifted_mm: float = 0.0
    scale: float = 1.0
    hangs_from: int = 0
    disc_colour: int = 0
    seed: int = 0


def wear_of(template: FaceMaskTemplate, look: FaceMaskLook) -> FaceMaskWear:
    """What ``look`` leaves uncovered."""
    if look.hangs_from:
        return FaceMaskWear.ONE_EAR
    upper_edge_mm = upper_edge(template) + look.lowered_mm
    if upper_edge_mm < 44:
        return FaceMaskWear.WORN
    return FaceMaskWear.UNDER_NOSE if upper_edge_mm < 72 else FaceMaskWear.AT_CHIN


def upper_edge(template: FaceMaskTemplate) -> float:
    """Where the upper edge lies in the middle of the face as required, in mm below the eyes."""
    return float(template.half_rows_mm[0][0][1])


def sampled_template(wear: FaceMaskWear, rng: np.random.Generator) -> FaceMaskTemplate:
    """Some template that can be worn so; kinds as often as one sees them."""
    kinds = list(_KIND_CHANCES)
    kind = kinds[int(rng.choice(len(kinds), p=list(_KIND_CHANCES.values())))]
    fitting = [t for t in FACE_MASKS.values() if t.kind == kind and can_be_worn(t, wear)]
    return fitting[int(rng.integers(len(fitting)))]


def can_be_worn(template: FaceMaskTemplate, wear: FaceMaskWear) -> bool:
    """What has no bands cannot hang from an ear."""
    return wear != FaceMaskWear.ONE_EAR or bool(template.loops_mm)


def sampled_look(template: FaceMaskTemplate, wear: FaceMaskWear, rng: np.random.Generator) -> FaceMaskLook:
    """A look as ``wear`` says, all else by chance. Raises ``ValueError`` when it cannot be worn so."""
    if not can_be_worn(template, wear):
        raise ValueError(f"{template.name}: has no bands, and cannot hang from one ear")
    colour = varied(template.colours_rgb[int(rng.integers(len(template.colours_rgb)))], rng)
    print_name = template.prints[int(rng.integers(len(template.prints)))]
    low, high = _WORN_LOWERED_MM
    if wear in _UPPER_EDGE_MM:
        low, high = (edge - upper_edge(template) for edge in _UPPER_EDGE_MM[wear])
    sloppy = 1.0 if wear == FaceMaskWear.WORN else 1.8
    return FaceMaskLook(
        colour_rgb=colour,
        print_name=print_name,
        accent_rgb=_accent(colour, print_name, rng),
        lowered_mm=float(rng.uniform(low, high)),
        askew_deg=float(np.clip(rng.normal(0, 1.8 * sloppy), -7, 7)),
        shifted_mm=float(np.clip(rng.normal(0, 1.3 * sloppy), -5, 5)),
        scale=float(np.clip(rng.normal(1.0, 0.035), 0.92, 1.1)),
        hangs_from=int(rng.choice((-1, 1))) if wear == FaceMaskWear.ONE_EAR else 0,
        disc_colour=int(rng.integers(8)),
        seed=int(rng.integers(2**31)),
    )


def varied(colour: Rgb, rng: np.random.Generator) -> Rgb:
    """A colour of another batch, washing or camera."""
    return _scaled(colour, rng.normal(1, 0.05) * rng.normal(1, 0.025, 3))


def _accent(colour: Rgb, print_name: str, rng: np.random.Generator) -> Rgb:
    """A colour that a print can be seen in on ``colour``."""
    if print_name == "patched":
        darker = rng.random() < 0.7
        return _scaled(colour, 0.42 if darker else 1.6)
    other = _ACCENTS_RGB[int(rng.integers(len(_ACCENTS_RGB)))]
    is_seen = sum(abs(one - two) for one, two in zip(other, colour, strict=True)) > 130
    if is_seen and rng.random() < 0.5:
        return other
    return _LIGHT_ACCENT if sum(colour) < 420 else _DARK_ACCENT


def _scaled(colour: Rgb, factor: ArrayLike) -> Rgb:
    red, green, blue = np.clip(np.rint(np.asarray(colour) * np.asarray(factor)), 8, 250).astype(int).tolist()
    return red, green, blue
