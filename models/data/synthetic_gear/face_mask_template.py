"""What a face mask's template says of its shape, its bands and its fabric."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.textures import PRINTS

Point = tuple[float, float, float]
Rgb = tuple[int, int, int]


class FaceMaskKind(StrEnum):
    """What a face mask is."""

    SURGICAL = "surgical"
    RESPIRATOR = "respirator"
    CLOTH = "cloth"


@dataclass(frozen=True, slots=True)
class Disc:
    """A valve or filter on a face mask.

    - ``across``: -1 to 1, ``down``: 0 to 1: where on it. ``radius_mm``, ``height_mm``: its size.
    - ``on_both_sides``: there is one mirrored, too.
    """

    across: float
    down: float
    radius_mm: float
    height_mm: float
    colours_rgb: tuple[Rgb, ...]
    on_both_sides: bool = False


@dataclass(frozen=True, slots=True)
class FaceMaskTemplate:
    """One shape of face mask.

    - ``half_rows_mm``: R rows of C control points from the middle (x = 0) to the side.
    - ``loops_mm``: bands from the mask to the ear or around the head, right half; drawn on both sides.
    - ``colours_rgb``: the colours it is sold in; the first is the default.
    - ``pleats``: heights, 0 at the upper edge to 1 at the lower one, of folds that run across.
    - ``seam``: 0 to 1, how strongly a seam or fold runs down the middle. ``seams_at``: others, 0 middle to 1 side.
    - ``binding``: width of the hemmed edge as a part of the height, 0 for none.
    - ``nose_clip_rgb``: a metal strip over the nose; None: there is none, or inside.
    - ``prints``: names of ``textures.PRINTS``; one is chosen for each face mask.
    - ``weave``, ``folds``: 0 to 1, contrast of the fabric's grain and of its wrinkles. ``gloss``: 0 to 1.
    - ``discs``: valves and filters.
    """

    name: str
    kind: FaceMaskKind
    half_rows_mm: tuple[tuple[Point, ...], ...]
    loops_mm: tuple[tuple[Point, ...], ...]
    colours_rgb: tuple[Rgb, ...]
    pleats: tuple[float, ...] = ()
    seam: float = 0.0
    seams_at: tuple[float, ...] = ()
    binding: float = 0.0
    nose_clip_rgb: Rgb | None = None
    prints: tuple[str, ...] = ("plain",)
    weave: float = 0.02
    folds: float = 0.03
    gloss: float = 0.0
    discs: tuple[Disc, ...] = ()
    loop_rgb: Rgb = (236, 238, 240)
    loop_width_mm: float = 3.0
    control_mm: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        half = np.asarray(self.half_rows_mm, np.float64)
        if half.ndim != 3 or half.shape[2] != 3 or min(half.shape[:2]) < 2:
            raise ValueError(f"{self.name}: half_rows_mm must be rows of points, got shape {half.shape}")
        if (half[:, 0, 0] != 0).any():
            raise ValueError(f"{self.name}: every row begins in the middle of the face, at x = 0")
        if unknown := set(self.prints) - set(PRINTS):
            raise ValueError(f"{self.name}: there is no print {sorted(unknown)[0]!r}")
        mirrored = half[:, :0:-1] * (-1.0, 1.0, 1.0)
        control = np.concatenate([mirrored, half], axis=1)
        control.setflags(write=False)
        object.__setattr__(self, "control_mm", control)
