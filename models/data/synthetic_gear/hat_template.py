"""What a hat's template says of its shape and its fabric."""

from dataclasses import dataclass
from typing import Literal

from models.data.synthetic_gear.face_mask_template import Rgb

HatCategory = Literal["hard_hat", "hat"]


@dataclass(frozen=True, slots=True)
class Crown:
    """A dome over the head. Heights are those of ``head_frame``: mm below the eyes, so negative.

    - ``half_width_mm``, ``half_length_mm``: at the rim. ``top_mm``: height of its top.
    - ``rim_mm``: height of the rim at the front, the sides and the back.
    - ``squareness``: 1 a half ellipsoid, towards 0 a drum.
    - ``ridges``: (x in mm, half width, height) of ridges from the front to the back.
    """

    half_width_mm: float
    half_length_mm: float
    top_mm: float
    rim_mm: tuple[float, float, float]
    squareness: float = 1.0
    ridges: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Brim:
    """A rim around a crown.

    - ``front_mm``, ``side_mm``, ``back_mm``: how far it stands out. ``peak_deg``: the front reaches this far to
      each side as an ellipse; 0: it passes into the sides smoothly.
    - ``droop``: mm down for each mm out. ``arch_mm``: how much lower the sides of a peak are than its middle.
    """

    front_mm: float
    side_mm: float
    back_mm: float
    peak_deg: float = 0.0
    droop: float = 0.2
    arch_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class HatTemplate:
    """One shape of headgear.

    - ``category``: ``hard_hat``, or ``hat`` for what protects nobody.
    - ``crown``: None for a hood, which is open at the face and reaches to the shoulders.
    - ``colours_rgb``: it is sold in; ``band``: a ribbon around the crown in another.
    - ``panels``: of how many pieces it is sewn; ``ribs``: knitted ones; ``vents``: slits at the sides.
    - ``cuff_mm``: turned up around the rim; ``bobble``: on top.
    - ``strap_chance``, ``muffs_chance``, ``decal_chance``: 0 to 1: chin strap, ear defenders, a sign at the front.
    - ``turned_deg``: 180 when its front is worn behind.
    - ``weave``, ``folds``, ``gloss``: 0 to 1, as of face masks.
    """

    name: str
    category: HatCategory
    crown: Crown | None
    colours_rgb: tuple[Rgb, ...]
    brim: Brim | None = None
    band: bool = False
    panels: int = 0
    ribs: int = 0
    vents: bool = False
    cuff_mm: float = 0.0
    bobble: bool = False
    strap_chance: float = 0.0
    muffs_chance: float = 0.0
    decal_chance: float = 0.0
    turned_deg: float = 0.0
    prints: tuple[str, ...] = ("plain",)
    weave: float = 0.02
    folds: float = 0.03
    gloss: float = 0.0
