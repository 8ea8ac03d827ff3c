"""Training pictures in memory: read and decoded once, by whichever thread comes first."""

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.pictures import read_picture


class PictureCache:
    """Pictures decoded once, their longest side limited, as long as there is room. Any thread may use it."""

    def __init__(self, *, longest_side_px: int = 1024, limit_bytes: int = 3_500_000_000) -> None:
        self._longest_side_px = longest_side_px
        self._room_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: dict[Path, NDArray[np.uint8]] = {}

    def read(self, path: Path) -> NDArray[np.uint8]:
        """RGB, uint8 (H, W, 3), not to be written to. Raises ``PictureError``."""
        kept = self._kept.get(path)
        if kept is not None:
            return kept
        pixels = read_picture(path).rgb()
        factor = self._longest_side_px / max(pixels.shape[:2])
        if factor < 1:
            size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        with self._lock:
            if path not in self._kept and pixels.nbytes <= self._room_bytes:
                self._room_bytes -= pixels.nbytes
                self._kept[path] = pixels
        return pixels
