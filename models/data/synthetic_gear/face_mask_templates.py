"""The face masks that can be drawn: surfaces over an average face, in millimetres.

A surface is a grid of control points (rows from the upper to the lower edge, columns from the middle of the
face to its side; the other half is its mirror image) in the coordinates of ``head_frame``. Shapes, colours and
prints are made up from how such masks are cut; none is traced from a picture.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from models.data.synthetic_gear.face_mask_template import Disc, FaceMaskKind, FaceMaskTemplate, Rgb

__all__ = [
    "CLOTH",
    "FACE_MASKS",
    "RESPIRATOR",
    "SURGICAL",
    "Disc",
    "FaceMaskKind",
    "FaceMaskTemplate",
    "Rgb",
]

_EAR_LOOPS: Final = (
    ((64.0, 38.0, -32.0), (70.0, 27.0, -58.0), (75.0, 22.0, -84.0)),
    ((61.0, 90.0, -32.0), (70.0, 62.0, -62.0), (76.0, 42.0, -86.0)),
)
#: Over the ears to the back of the head, and along the jaw to the neck.
_HEAD_BANDS: Final = (
    ((54.0, 52.0, -24.0), (70.0, 20.0, -60.0), (78.0, -8.0, -92.0)),
    ((50.0, 92.0, -26.0), (62.0, 84.0, -56.0), (70.0, 72.0, -92.0)),
)
_WHITE: Final = (232, 232, 226)
_BLACK: Final = (58, 60, 64)

SURGICAL: Final = FaceMaskTemplate(
    name="surgical",
    kind=FaceMaskKind.SURGICAL,
    half_rows_mm=(
        ((0, 19, 20), (22, 28, 9), (44, 33, -7), (63, 38, -32)),
        ((0, 42, 31), (24, 46, 20), (47, 48, 0), (66, 51, -30)),
        ((0, 68, 33), (25, 68, 21), (48, 67, 1), (67, 64, -30)),
        ((0, 96, 27), (25, 94, 16), (47, 88, -3), (65, 78, -30)),
        ((0, 125, 4), (24, 121, -1), (44, 111, -13), (60, 92, -33)),
    ),
    loops_mm=_EAR_LOOPS,
    colours_rgb=((152, 196, 221), (164, 214, 205), (226, 231, 234), _BLACK, (233, 190, 202), (120, 170, 214)),
    pleats=(0.30, 0.50, 0.70),
    binding=0.055,
)

#: With ribbons that are tied behind the head, as in an operating theatre; wider, and of a coarser fabric.
SURGICAL_TIED: Final = replace(
    SURGICAL,
    name="surgical_tied",
    half_rows_mm=(
        ((0, 15, 19), (23, 24, 9), (46, 28, -8), (66, 30, -34)),
        ((0, 42, 30), (25, 46, 19), (49, 47, -2), (69, 47, -33)),
        ((0, 70, 32), (26, 70, 20), (50, 69, -1), (70, 64, -33)),
        ((0, 98, 25), (26, 96, 14), (49, 90, -5), (68, 80, -33)),
        ((0, 126, 2), (24, 122, -3), (45, 112, -15), (63, 95, -36)),
    ),
    loops_mm=(
        ((65.0, 31.0, -34.0), (74.0, 0.0, -62.0), (77.0, -34.0, -96.0)),
        ((62.0, 94.0, -36.0), (66.0, 90.0, -58.0), (66.0, 84.0, -92.0)),
    ),
    colours_rgb=((142, 205, 190), (158, 200, 226), (228, 233, 234), (120, 186, 150)),
    pleats=(0.26, 0.44, 0.62, 0.80),
    folds=0.05,
    loop_rgb=(190, 216, 216),
    loop_width_mm=7.0,
)

#: A box of pleats that stands away from the face, its lower edge loose.
SURGICAL_LOOSE: Final = replace(
    SURGICAL,
    name="surgical_loose",
    half_rows_mm=(
        ((0, 22, 22), (20, 30, 11), (40, 37, -4), (58, 44, -28)),
        ((0, 44, 38), (24, 48, 27), (46, 51, 5), (63, 54, -28)),
        ((0, 70, 44), (26, 70, 32), (49, 69, 8), (65, 66, -28)),
        ((0, 98, 38), (26, 96, 27), (48, 90, 4), (63, 80, -28)),
        ((0, 122, 14), (24, 119, 7), (44, 110, -8), (58, 95, -30)),
    ),
    colours_rgb=((176, 208, 228), (226, 231, 234), _BLACK, (172, 216, 192), (206, 196, 226)),
    pleats=(0.22, 0.42, 0.62),
    folds=0.07,
)

RESPIRATOR: Final = FaceMaskTemplate(
    name="respirator",
    kind=FaceMaskKind.RESPIRATOR,
    half_rows_mm=(
        ((0, 14, 19), (20, 25, 9), (40, 36, -6), (56, 52, -26)),
        ((0, 40, 43), (24, 44, 30), (46, 51, 3), (60, 61, -25)),
        ((0, 66, 54), (27, 67, 36), (48, 69, 6), (61, 71, -25)),
        ((0, 92, 42), (26, 91, 28), (46, 86, 2), (58, 82, -26)),
        ((0, 117, 8), (22, 114, 2), (40, 106, -10), (52, 94, -28)),
    ),
    loops_mm=(
        ((57.0, 54.0, -26.0), (70.0, 22.0, -60.0), (72.0, -12.0, -92.0)),
        ((53.0, 92.0, -28.0), (60.0, 95.0, -52.0)),
    ),
    colours_rgb=(_WHITE, (205, 214, 224), (88, 90, 96)),
    seam=0.55,
    binding=0.09,
    weave=0.012,
    folds=0.02,
)

#: Two flat halves that meet in an upright edge, worn with ear loops.
KN95: Final = replace(
    RESPIRATOR,
    name="kn95",
    half_rows_mm=(
        ((0, 14, 22), (19, 24, 9), (40, 34, -7), (60, 46, -28)),
        ((0, 38, 48), (23, 43, 29), (45, 50, 2), (64, 56, -27)),
        ((0, 64, 62), (26, 66, 38), (48, 67, 6), (65, 66, -27)),
        ((0, 92, 50), (26, 90, 29), (47, 84, 1), (63, 76, -28)),
        ((0, 120, 12), (22, 115, 2), (42, 104, -12), (58, 88, -30)),
    ),
    loops_mm=_EAR_LOOPS,
    colours_rgb=(_WHITE, (222, 226, 230), _BLACK, (196, 208, 222)),
    seam=0.8,
    seams_at=(0.78,),
    binding=0.06,
)

FFP2_FOLDED_VALVE: Final = replace(
    KN95,
    name="ffp2_folded_valve",
    loops_mm=_HEAD_BANDS,
    colours_rgb=(_WHITE, (214, 222, 230), (236, 236, 236)),
    loop_rgb=(226, 206, 120),
    discs=(Disc(0.38, 0.52, 14.0, 5.0, ((238, 238, 236), (70, 110, 170), (200, 60, 50), (90, 94, 98))),),
)

#: Three panels: a level one before the mouth between two that are folded out.
FISH: Final = replace(
    RESPIRATOR,
    name="fish",
    half_rows_mm=(
        ((0, 12, 20), (21, 22, 10), (43, 33, -5), (62, 48, -30)),
        ((0, 36, 52), (25, 41, 38), (46, 49, 10), (66, 56, -29)),
        ((0, 64, 55), (27, 65, 41), (49, 65, 12), (69, 63, -29)),
        ((0, 92, 51), (26, 90, 37), (47, 81, 9), (66, 70, -29)),
        ((0, 122, 8), (23, 117, 2), (43, 105, -10), (60, 82, -31)),
    ),
    loops_mm=_EAR_LOOPS,
    colours_rgb=((236, 237, 238), _BLACK, (208, 196, 182), (148, 160, 178)),
    pleats=(0.27, 0.73),
    seam=0.0,
    binding=0.045,
)

#: Two flat panels that meet in a level edge before the mouth.
DUCKBILL: Final = replace(
    RESPIRATOR,
    name="duckbill",
    half_rows_mm=(
        ((0, 15, 20), (21, 25, 9), (42, 36, -6), (58, 51, -27)),
        ((0, 42, 46), (27, 46, 38), (48, 54, 16), (61, 62, -24)),
        ((0, 66, 68), (31, 67, 60), (52, 69, 36), (62, 71, -22)),
        ((0, 73, 68), (31, 74, 60), (52, 75, 35), (62, 76, -22)),
        ((0, 95, 38), (27, 93, 29), (46, 88, 8), (58, 84, -26)),
        ((0, 118, 7), (22, 115, 1), (41, 106, -11), (53, 94, -29)),
    ),
    loops_mm=_HEAD_BANDS,
    colours_rgb=((238, 239, 240), (150, 196, 226), (236, 180, 96)),
    pleats=(0.5,),
    seam=0.0,
    binding=0.05,
    folds=0.04,
)

#: A moulded cup with two bands around the head.
N95_CUP: Final = replace(
    RESPIRATOR,
    name="n95_cup",
    half_rows_mm=(
        ((0, 14, 21), (18, 21, 10), (35, 35, -2), (50, 52, -18)),
        ((0, 36, 50), (25, 41, 38), (45, 52, 12), (55, 62, -17)),
        ((0, 64, 63), (30, 66, 48), (50, 69, 15), (57, 72, -17)),
        ((0, 92, 50), (26, 90, 37), (44, 86, 10), (54, 83, -18)),
        ((0, 115, 14), (20, 112, 7), (36, 105, -6), (48, 95, -21)),
    ),
    loops_mm=_HEAD_BANDS,
    colours_rgb=((236, 234, 226), (240, 240, 240), (206, 222, 214), (228, 214, 190)),
    seam=0.0,
    binding=0.10,
    nose_clip_rgb=(186, 190, 194),
    loop_rgb=(224, 190, 90),
    loop_width_mm=5.0,
    weave=0.018,
)

N95_CUP_VALVE: Final = replace(
    N95_CUP,
    name="n95_cup_valve",
    discs=(Disc(0.0, 0.55, 16.0, 6.0, ((246, 244, 238), (240, 206, 60), (120, 130, 140), (190, 60, 50))),),
)

#: Of rubber, with a filter on each side, as worn by painters and in demolition.
HALF_MASK: Final = replace(
    RESPIRATOR,
    name="half_mask",
    half_rows_mm=(
        ((0, 10, 22), (15, 18, 13), (30, 36, 0), (43, 58, -16)),
        ((0, 36, 50), (20, 42, 36), (38, 54, 12), (48, 66, -15)),
        ((0, 66, 60), (24, 68, 44), (42, 72, 14), (50, 76, -15)),
        ((0, 94, 48), (22, 92, 34), (38, 88, 10), (47, 86, -16)),
        ((0, 118, 14), (18, 114, 8), (32, 106, -5), (42, 96, -19)),
    ),
    loops_mm=_HEAD_BANDS,
    colours_rgb=((84, 88, 94), (110, 132, 158), (58, 60, 62), (122, 118, 110)),
    seam=0.0,
    binding=0.12,
    weave=0.0,
    folds=0.0,
    gloss=0.25,
    discs=(
        Disc(0.62, 0.62, 27.0, 14.0, ((214, 92, 142), (226, 224, 218), (70, 72, 76), (150, 128, 90)), True),
        Disc(0.0, 0.58, 13.0, 9.0, ((66, 68, 72), (100, 104, 110))),
    ),
    loop_rgb=(60, 62, 66),
    loop_width_mm=9.0,
)

CLOTH: Final = FaceMaskTemplate(
    name="cloth",
    kind=FaceMaskKind.CLOTH,
    half_rows_mm=(
        ((0, 25, 26), (22, 33, 13), (43, 40, -5), (64, 50, -34)),
        ((0, 45, 35), (25, 49, 20), (47, 53, -1), (66, 58, -33)),
        ((0, 68, 34), (26, 69, 20), (48, 69, -1), (66, 67, -33)),
        ((0, 92, 26), (25, 90, 14), (46, 84, -5), (65, 75, -34)),
        ((0, 121, 2), (23, 116, -2), (43, 104, -13), (63, 85, -35)),
    ),
    loops_mm=(
        ((64.0, 51.0, -34.0), (70.0, 34.0, -60.0), (75.0, 24.0, -84.0)),
        ((63.0, 83.0, -35.0), (70.0, 60.0, -62.0), (76.0, 42.0, -86.0)),
    ),
    colours_rgb=((52, 56, 66), (120, 44, 52), (60, 92, 140), (196, 186, 168), (36, 36, 38), (226, 224, 220)),
    seam=0.8,
    binding=0.03,
    weave=0.05,
    folds=0.05,
    loop_rgb=(60, 62, 70),
)

#: Sewn like a surgical one.
CLOTH_PLEATED: Final = replace(
    CLOTH,
    name="cloth_pleated",
    half_rows_mm=SURGICAL.half_rows_mm,
    loops_mm=_EAR_LOOPS,
    colours_rgb=((70, 92, 118), (148, 60, 66), (214, 210, 200), (60, 100, 84), (44, 44, 50)),
    pleats=(0.30, 0.52, 0.74),
    seam=0.0,
    binding=0.08,
    prints=("plain", "plain", "upright"),
)

_PRINTED_RGB: Final[tuple[Rgb, ...]] = (
    (206, 208, 214), (66, 92, 150), (170, 56, 62), (52, 98, 84), (226, 196, 130), (54, 54, 66), (196, 140, 170),
)  # fmt: skip
CLOTH_CHECKED: Final = replace(CLOTH, name="cloth_checked", colours_rgb=_PRINTED_RGB, prints=("checked",))
CLOTH_STRIPED: Final = replace(
    CLOTH, name="cloth_striped", colours_rgb=_PRINTED_RGB, prints=("striped", "upright")
)
CLOTH_DOTTED: Final = replace(
    CLOTH_PLEATED, name="cloth_dotted", colours_rgb=_PRINTED_RGB, prints=("dotted",)
)
CLOTH_FLORAL: Final = replace(
    CLOTH, name="cloth_floral", colours_rgb=_PRINTED_RGB, prints=("floral",), seam=0.5
)
CLOTH_CAMOUFLAGE: Final = replace(
    CLOTH,
    name="cloth_camouflage",
    colours_rgb=((92, 98, 66), (150, 138, 106), (84, 90, 100)),
    prints=("patched",),
)

#: Stretched and smooth, reaching to the ears, with two valves.
SPORT: Final = replace(
    CLOTH,
    name="sport",
    half_rows_mm=(
        ((0, 16, 22), (21, 26, 10), (44, 34, -8), (68, 36, -44)),
        ((0, 42, 36), (25, 47, 22), (48, 50, -2), (72, 48, -44)),
        ((0, 68, 38), (27, 69, 23), (50, 68, -1), (73, 60, -44)),
        ((0, 94, 29), (26, 91, 16), (47, 83, -6), (71, 70, -45)),
        ((0, 119, 5), (22, 114, 0), (43, 102, -13), (67, 80, -47)),
    ),
    loops_mm=(((70.0, 42.0, -46.0), (77.0, 34.0, -84.0)), ((70.0, 72.0, -46.0), (77.0, 46.0, -86.0))),
    colours_rgb=((40, 42, 46), (72, 76, 84), (38, 58, 96), (150, 40, 44)),
    seam=0.9,
    seams_at=(0.55,),
    binding=0.035,
    weave=0.02,
    folds=0.01,
    discs=(Disc(0.42, 0.66, 11.0, 3.0, ((30, 30, 32), (150, 154, 160), (190, 60, 50)), True),),
)

#: A tube of cloth from the nose down the neck.
NECK_GAITER: Final = replace(
    CLOTH,
    name="neck_gaiter",
    half_rows_mm=(
        ((0, 24, 27), (22, 33, 13), (45, 38, -6), (66, 38, -36), (77, 36, -82)),
        ((0, 46, 35), (25, 50, 20), (48, 54, -3), (70, 54, -36), (79, 54, -84)),
        ((0, 70, 33), (27, 71, 19), (49, 72, -4), (70, 74, -38), (78, 76, -88)),
        ((0, 98, 24), (26, 97, 12), (46, 96, -10), (66, 98, -44), (72, 100, -90)),
        ((0, 124, -2), (24, 124, -8), (44, 124, -24), (60, 126, -56), (66, 128, -92)),
        ((0, 158, -22), (24, 158, -27), (44, 158, -40), (60, 158, -66), (64, 158, -94)),
    ),
    loops_mm=(),
    colours_rgb=((44, 46, 52), (92, 98, 66), (52, 78, 124), (140, 142, 146), (150, 52, 48)),
    prints=("plain", "plain", "patched", "striped", "floral"),
    seam=0.0,
    binding=0.015,
    folds=0.11,
)

#: A square of cloth folded to a triangle and tied behind the head.
BANDANA: Final = replace(
    NECK_GAITER,
    name="bandana",
    half_rows_mm=(
        ((0, 22, 27), (22, 31, 14), (45, 37, -5), (67, 36, -36), (78, 34, -82)),
        ((0, 48, 38), (25, 50, 24), (47, 51, 0), (69, 46, -36), (79, 40, -84)),
        ((0, 78, 42), (26, 74, 28), (48, 67, 2), (70, 57, -37), (79, 46, -85)),
        ((0, 112, 38), (25, 101, 24), (47, 84, 0), (69, 67, -38), (79, 51, -86)),
        ((0, 150, 30), (22, 130, 18), (44, 103, -4), (66, 78, -40), (78, 56, -87)),
    ),
    colours_rgb=((150, 40, 46), (44, 62, 116), (46, 46, 50), (214, 206, 190)),
    prints=("floral", "dotted", "plain"),
    binding=0.02,
    folds=0.10,
)

#: All of them, by name.
FACE_MASKS: Final = MappingProxyType(
    {
        template.name: template
        for template in (
            SURGICAL, SURGICAL_TIED, SURGICAL_LOOSE,
            RESPIRATOR, KN95, FFP2_FOLDED_VALVE, FISH, DUCKBILL, N95_CUP, N95_CUP_VALVE, HALF_MASK,
            CLOTH, CLOTH_PLEATED, CLOTH_CHECKED, CLOTH_STRIPED, CLOTH_DOTTED, CLOTH_FLORAL, CLOTH_CAMOUFLAGE,
            SPORT, NECK_GAITER, BANDANA,
        )
    }
)  # fmt: skip
