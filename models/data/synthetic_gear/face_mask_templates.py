"""The shapes of the face masks that can be drawn: surfaces over an average face, in millimetres.

A surface is a grid of control points (rows from the upper to the lower edge, columns from the middle of the
face to its side; the other half is its mirror image) in the coordinates of ``models.data.synthetic_gear.head_frame``.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Rgb = tuple[int, int, int]


class FaceMaskKind(StrEnum):
    """What a face mask is."""

    SURGICAL = "surgical"
    RESPIRATOR = "respirator"
    CLOTH = "cloth"


@dataclass(frozen=True, slots=True)
class FaceMaskTemplate:
    """One shape of face mask.

    - ``half_rows_mm``: R rows of C control points from the middle (x = 0) to the side.
    - ``loops_mm``: bands from the mask to the ear or around the head, right half; drawn on both sides.
    - ``pleats``: heights, 0 at the upper edge to 1 at the lower one, of folds that run across.
    - ``seam``: 0 to 1, how strongly a seam or fold runs down the middle.
    - ``binding``: width of the hemmed edge as a part of the height, 0 for none.
    - ``colours_rgb``: the colours it is sold in; the first is the default.
    - ``weave``: 0 to 1, contrast of the fabric's grain.
    """

    name: str
    kind: FaceMaskKind
    half_rows_mm: tuple[tuple[Point, ...], ...]
    loops_mm: tuple[tuple[Point, ...], ...]
    colours_rgb: tuple[Rgb, ...]
    pleats: tuple[float, ...] = ()
    seam: float = 0.0
    binding: float = 0.0
    weave: float = 0.02
    loop_rgb: Rgb = (236, 238, 240)
    loop_width_mm: float = 3.0
    control_mm: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        half = np.asarray(self.half_rows_mm, np.float64)
        if half.ndim != 3 or half.shape[2] != 3 or min(half.shape[:2]) < 2:
            raise ValueError(f"{self.name}: half_rows_mm must be rows of points, got shape {half.shape}")
        if (half[:, 0, 0] != 0).any():
            raise ValueError(f"{self.name}: every row begins in the middle of the face, at x = 0")
        mirrored = half[:, :0:-1] * (-1.0, 1.0, 1.0)
        control = np.concatenate([mirrored, half], axis=1)
        control.setflags(write=False)
        object.__setattr__(self, "control_mm", control)


_EAR_LOOPS: Final = (
    ((64.0, 38.0, -32.0), (70.0, 27.0, -58.0), (75.0, 22.0, -84.0)),
    ((61.0, 90.0, -32.0), (70.0, 62.0, -62.0), (76.0, 42.0, -86.0)),
)

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
    colours_rgb=((152, 196, 221), (164, 214, 205), (226, 231, 234), (58, 60, 64), (233, 190, 202)),
    pleats=(0.30, 0.50, 0.70),
    binding=0.055,
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
    colours_rgb=((232, 232, 226), (205, 214, 224), (88, 90, 96)),
    seam=0.55,
    binding=0.09,
    weave=0.012,
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
    colours_rgb=((52, 56, 66), (120, 44, 52), (60, 92, 140), (196, 186, 168)),
    seam=0.8,
    binding=0.03,
    weave=0.05,
    loop_rgb=(60, 62, 70),
)

#: All of them, by name.
FACE_MASKS: Final = MappingProxyType({t.name: t for t in (SURGICAL, RESPIRATOR, CLOTH)})
