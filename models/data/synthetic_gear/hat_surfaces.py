"""The surfaces of hats on an average head, in its millimetres.

Shapes: R, C rows and columns of a grid. Columns go around the head, from its back over the viewer's left side, the
front and the right side to the back again; rows go outwards and down.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.hat_template import Brim, Crown

Points = NDArray[np.float64]

#: The middle of the head from front to back.
_MIDDLE_Z_MM: Final = -88.0


def crown_points(crown: Crown, step_mm: float) -> Points:
    """The dome (R, C, 3), from its top to its rim."""
    down, around = _grid(crown, 1.4 * (crown.rim_mm[1] - crown.top_mm), step_mm)
    out, high = _profile(crown, down)
    rim = _rim_height(crown, around)
    x = crown.half_width_mm * out * np.sin(around)
    z = crown.half_length_mm * out * np.cos(around)
    y = rim * (1 - high) + crown.top_mm * high
    # a ridge ends before the rim
    fade = np.clip((1 - down) / 0.3, 0, 1) ** 0.5
    raised = sum(
        (height * np.exp(-(((x - at) / half_width) ** 4)) for at, half_width, height in crown.ridges),
        np.zeros_like(x),
    )
    y = y - raised * fade * high.clip(0.25)
    z = z * (1 + raised * fade * (1 - high) / crown.half_length_mm)
    return np.stack([x, y, z + _MIDDLE_Z_MM], axis=-1)


def cuff_points(crown: Crown, width_mm: float, step_mm: float) -> Points:
    """A fold (R, C, 3) of the fabric around the rim, turned up by ``width_mm``."""
    down, around = _grid(crown, width_mm, step_mm)
    bulge = 5.0 * np.sin(np.pi * down.clip(0.08, 0.92))
    rim = _rim_height(crown, around)
    x = (crown.half_width_mm + 1 + bulge) * np.sin(around)
    z = (crown.half_length_mm + 1 + bulge) * np.cos(around)
    return np.stack([x, rim + 3 - width_mm * (1 - down), z + _MIDDLE_Z_MM], axis=-1)


def brim_points(crown: Crown, brim: Brim, step_mm: float) -> Points:
    """The brim (R, C, 3), from the rim outwards."""
    out, around = _grid(crown, max(brim.front_mm, brim.side_mm), step_mm)
    front = np.maximum(np.cos(around), 0) ** 2
    if brim.peak_deg:
        front = np.sqrt(np.maximum(0, 1 - (around / np.deg2rad(brim.peak_deg)) ** 2))
    back = np.maximum(-np.cos(around), 0) ** 2
    width = brim.side_mm + (brim.front_mm - brim.side_mm) * front + (brim.back_mm - brim.side_mm) * back
    outward = np.stack([np.sin(around) / crown.half_width_mm, np.cos(around) / crown.half_length_mm], axis=-1)
    if brim.peak_deg:
        # a peak points forward over its whole width
        outward = outward + (front * 3 / crown.half_length_mm)[..., None] * (0.0, 1.0)
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    x = crown.half_width_mm * np.sin(around) + out * width * outward[..., 0]
    z = crown.half_length_mm * np.cos(around) + out * width * outward[..., 1]
    y = _rim_height(crown, around) + brim.droop * out * width
    y = y + brim.arch_mm * front * out * ((x / crown.half_width_mm) ** 2 - 0.3)
    return np.stack([x, y, z + _MIDDLE_Z_MM], axis=-1)


def hood_points(step_mm: float) -> Points:
    """A hood (R, C, 3): columns from one side of the neck over the head to the other, rows from the face backwards."""
    rows, columns = int(np.clip(190 / step_mm, 10, 40)) + 1, int(np.clip(460 / step_mm, 16, 72)) + 1
    back, over = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    angle = over * np.deg2rad(152)
    # widest behind the ears, closed at the back
    wide = np.sqrt(np.clip(1 - (np.maximum(back - 0.45, 0) / 0.55) ** 2, 0, 1)) * (
        0.86 + 0.3 * np.sin(np.pi * back)
    )
    x = 88 * wide * np.sin(angle) * (1 + 0.16 * np.maximum(-np.cos(angle), 0))
    y = 4 - 128 * (0.35 + 0.65 * wide) * np.cos(angle) * (1 - 0.06 * (1 - back))
    z = 6 - 205 * back - 34 * np.clip(np.abs(over) - 0.55, 0, 1)
    # rows go backwards, so that right and down make the outside only when columns are reversed
    return np.stack([x, y, z], axis=-1)[::-1]


def strap_paths(crown: Crown) -> list[Points]:
    """The two halves (P, 3) of a chin strap."""
    start = (crown.half_width_mm - 12, crown.rim_mm[1] - 4, -66.0)
    half = np.array([start, (79, 18, -58), (71, 62, -48), (54, 96, -30), (26, 116, -8), (0, 121, -2)])
    return [half, half * (-1.0, 1.0, 1.0)]


def _grid(crown: Crown, depth_mm: float, step_mm: float) -> tuple[Points, Points]:
    """0 to 1 outwards, and the angle around the head from the front (R, C)."""
    around_mm = np.pi * (crown.half_width_mm + crown.half_length_mm)
    rows = int(np.clip(np.ceil(depth_mm / step_mm), 4, 48)) + 1
    columns = int(np.clip(np.ceil(around_mm / step_mm), 24, 128)) + 1
    outwards, around = np.meshgrid(
        np.linspace(0, 1, rows), np.linspace(-np.pi, np.pi, columns), indexing="ij"
    )
    return outwards, around


def _profile(crown: Crown, down: Points) -> tuple[Points, Points]:
    """How far out, and how high, 0 to 1, the dome is at ``down`` 0 to 1 of the way along it from its top to its rim."""
    angle = np.linspace(0, np.pi / 2, 200)
    out = np.sin(angle) ** crown.squareness
    high = np.cos(angle).clip(0) ** crown.squareness
    steps = np.hypot(np.diff(out) * crown.half_length_mm, np.diff(high) * (crown.rim_mm[1] - crown.top_mm))
    along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    return np.interp(down, along, out), np.interp(down, along, high)


def _rim_height(crown: Crown, around: Points) -> Points:
    front, side, back = crown.rim_mm
    cosine = np.cos(around)
    return np.asarray(
        side + (front - back) / 2 * cosine + ((front + back) / 2 - side) * cosine**2, np.float64
    )
