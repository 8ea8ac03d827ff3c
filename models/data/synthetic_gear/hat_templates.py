"""The hats and hard hats that can be drawn, in millimetres around an average head. Made up, none traced."""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from models.data.synthetic_gear.face_mask_template import Rgb
from models.data.synthetic_gear.hat_template import Brim, Crown, HatTemplate

#: Yellow and white are the most common.
_SHELLS_RGB: Final[tuple[Rgb, ...]] = (
    (244, 200, 36), (238, 206, 60), (240, 240, 238), (232, 234, 236), (236, 112, 34), (204, 44, 40),
    (34, 86, 168), (40, 130, 84), (198, 222, 60), (70, 74, 80),
)  # fmt: skip
_FABRICS_RGB: Final[tuple[Rgb, ...]] = (
    (40, 42, 48), (36, 50, 84), (150, 40, 46), (196, 188, 170), (92, 96, 72), (120, 122, 126), (226, 224, 220),
    (84, 62, 48), (60, 96, 140),
)  # fmt: skip

HARD_HAT: Final = HatTemplate(
    name="hard_hat_smooth",
    category="hard_hat",
    crown=Crown(100, 122, -166, (-49, -37, -28), squareness=0.9),
    brim=Brim(44, 9, 10, peak_deg=62, droop=0.28, arch_mm=6),
    colours_rgb=_SHELLS_RGB,
    strap_chance=0.35,
    muffs_chance=0.12,
    decal_chance=0.4,
    folds=0.015,
    weave=0.0,
    gloss=0.45,
)

#: With the three ridges of most shells.
HARD_HAT_RIDGED: Final = replace(
    HARD_HAT,
    name="hard_hat_ridged",
    crown=Crown(
        101, 124, -166, (-49, -37, -28), squareness=0.86, ridges=((0, 13, 8), (-34, 7, 5), (34, 7, 5))
    ),
)

HARD_HAT_CRESTED: Final = replace(
    HARD_HAT,
    name="hard_hat_crested",
    crown=Crown(100, 124, -162, (-50, -38, -28), squareness=0.8, ridges=((0, 24, 9),)),
    brim=Brim(40, 12, 18, peak_deg=70, droop=0.2, arch_mm=4),
    vents=True,
)

#: The brim goes all around, as in the sun or under dripping water.
HARD_HAT_FULL_BRIM: Final = replace(
    HARD_HAT,
    name="hard_hat_full_brim",
    crown=Crown(
        98, 120, -164, (-54, -44, -38), squareness=0.88, ridges=((0, 11, 6), (-32, 6, 4), (32, 6, 4))
    ),
    brim=Brim(46, 34, 38, droop=0.22),
    muffs_chance=0.0,
)

#: Short at the front and always with a strap, as for work at heights.
HARD_HAT_CLIMBING: Final = replace(
    HARD_HAT,
    name="hard_hat_climbing",
    crown=Crown(97, 116, -156, (-52, -24, -6), squareness=0.95, ridges=((0, 20, 5), (-40, 9, 4), (40, 9, 4))),
    brim=Brim(16, 2, 3, peak_deg=68, droop=0.3),
    vents=True,
    strap_chance=1.0,
)

CAP: Final = HatTemplate(
    name="cap",
    category="hat",
    crown=Crown(84, 106, -138, (-48, -30, -20), squareness=0.85),
    brim=Brim(68, 0, 0, peak_deg=64, droop=0.24, arch_mm=14),
    colours_rgb=_FABRICS_RGB,
    panels=6,
    decal_chance=0.5,
    weave=0.03,
)

CAP_BACKWARDS: Final = replace(CAP, name="cap_backwards", turned_deg=180.0, decal_chance=0.0)

BEANIE: Final = HatTemplate(
    name="beanie",
    category="hat",
    crown=Crown(85, 107, -142, (-44, 2, 16), squareness=0.92),
    colours_rgb=_FABRICS_RGB,
    ribs=44,
    cuff_mm=34,
    prints=("plain", "plain", "striped"),
    weave=0.08,
    folds=0.06,
)

BOBBLE_HAT: Final = replace(
    BEANIE, name="bobble_hat", bobble=True, ribs=30, prints=("striped", "dotted", "plain")
)

STRAW_HAT: Final = HatTemplate(
    name="straw_hat",
    category="hat",
    crown=Crown(86, 106, -150, (-56, -46, -44), squareness=0.55),
    brim=Brim(70, 66, 66, droop=0.14),
    colours_rgb=((222, 196, 140), (236, 218, 176), (190, 154, 102)),
    band=True,
    weave=0.09,
    folds=0.04,
)

FELT_HAT: Final = replace(
    STRAW_HAT,
    name="felt_hat",
    crown=Crown(84, 106, -156, (-56, -46, -44), squareness=0.62),
    brim=Brim(52, 44, 46, droop=0.1),
    colours_rgb=((84, 66, 52), (56, 56, 60), (130, 112, 90)),
    weave=0.02,
)

BUCKET_HAT: Final = HatTemplate(
    name="bucket_hat",
    category="hat",
    crown=Crown(85, 107, -134, (-62, -48, -44), squareness=0.5),
    brim=Brim(40, 44, 44, droop=0.8),
    colours_rgb=_FABRICS_RGB,
    prints=("plain", "plain", "floral", "patched"),
    weave=0.04,
    folds=0.07,
)

HOOD: Final = HatTemplate(
    name="hood",
    category="hat",
    crown=None,
    colours_rgb=_FABRICS_RGB,
    weave=0.04,
    folds=0.16,
)

#: All of them, by name.
HATS: Final = MappingProxyType(
    {
        template.name: template
        for template in (
            HARD_HAT, HARD_HAT_RIDGED, HARD_HAT_CRESTED, HARD_HAT_FULL_BRIM, HARD_HAT_CLIMBING,
            CAP, CAP_BACKWARDS, BEANIE, BOBBLE_HAT, STRAW_HAT, FELT_HAT, BUCKET_HAT, HOOD,
        )
    }
)  # fmt: skip
