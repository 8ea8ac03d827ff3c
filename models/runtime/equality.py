"""How far an export may answer otherwise than the network it comes from, and the pictures that ask it."""

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ExportError

#: Names of the differences that are measured, each with the most that is taken: of probabilities, and of corners of
#: boxes in input pixels.
LIMITS: Final[Mapping[str, float]] = {"score": 1e-2, "box_px": 0.5}


def check_differences(network: str, differences: Mapping[str, float]) -> None:
    """Raise ``ExportError`` unless each of ``LIMITS`` was measured and is kept."""
    for name, limit in LIMITS.items():
        if not differences[name] <= limit:  # not a number, too
            raise ExportError(f"the export of {network} answers otherwise: {name} by {differences[name]:.3g}")


def largest_difference(first: Any, second: Any) -> float:
    """The largest difference between arrays of one shape; 0 of empty ones."""
    apart = np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64))
    return float(apart.max(initial=0.0))


def likely_pictures(image_hw: tuple[int, int], count: int) -> NDArray[np.uint8]:
    """``count`` pictures uint8 (count, H, W, 3) that ask a network what a camera would: surfaces of all sizes, edges,
    light from one side, and something like heads. The same ones each time."""
    rng = np.random.default_rng(20)
    return np.stack([_scene(rng, image_hw) for _ in range(count)])


def _scene(rng: np.random.Generator, image_hw: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = image_hw
    scene = np.zeros((height, width, 3), np.float32)
    for cells in (2, 4, 8, 16, 32, 64):
        # natural pictures have the more of a structure the larger it is (Field 1987)
        noise = rng.normal(0, 90 / cells, (cells, cells, 3)).astype(np.float32)
        scene += np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    scene += 120
    for _ in range(8):
        corner, other = rng.integers(0, (width, height)), rng.integers(0, (width, height))
        cv2.rectangle(scene, corner.tolist(), other.tolist(), rng.uniform(0, 255, 3).tolist(), -1)
    for _ in range(6):
        _draw_head(scene, rng)
    return np.clip(scene, 0, 255).astype(np.uint8)


def _draw_head(scene: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Skin, hair or a coloured hat, two eyes and a mouth: enough for networks not to be sure."""
    height, width = scene.shape[:2]
    side = int(rng.uniform(0.05, 0.35) * min(height, width))
    x, y = int(rng.integers(side, width - side)), int(rng.integers(side, height - side))
    cv2.ellipse(scene, (x, y), (side * 3 // 4, side), 0, 0, 360, (210, 165, 140), -1)
    cv2.ellipse(
        scene,
        (x, y - side // 2),
        (side * 3 // 4, side // 2),
        0,
        180,
        360,
        rng.uniform(0, 255, 3).tolist(),
        -1,
    )
    for across in (-side // 3, side // 3):
        cv2.circle(scene, (x + across, y - side // 8), max(1, side // 10), (40, 30, 30), -1)
    cv2.ellipse(scene, (x, y + side // 2), (side // 3, max(1, side // 12)), 0, 0, 360, (150, 60, 60), -1)
