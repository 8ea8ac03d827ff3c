"""Heads to draw gear on: the mean face as the camera of ``HeadFrame`` sees it, on pictures of one colour."""

import numpy as np
from numpy.typing import NDArray

from models.data.synthetic_gear.head_frame import MEAN_LANDMARKS_MM

SKIN = (205, 164, 140)


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def landmarks(
    centre_xy: tuple[float, float] = (128.0, 90.0),
    px_per_mm: float = 0.7,
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
) -> NDArray[np.float64]:
    turned = np.asarray(MEAN_LANDMARKS_MM) @ head_rotation(yaw, pitch, roll).T
    return turned[:, :2] * px_per_mm + centre_xy


def picture(height: int = 256, width: int = 256) -> NDArray[np.uint8]:
    return np.full((height, width, 3), SKIN, np.uint8)


def inside(seg_mask: NDArray[np.bool_], point_xy: NDArray[np.float64]) -> bool:
    x, y = np.floor(point_xy).astype(int)
    return bool(seg_mask[y, x])
