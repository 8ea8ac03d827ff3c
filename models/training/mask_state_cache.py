"""Face surroundings cut out once and kept as arrays, so that an epoch reads no image files.

Each example is stored as the part of its picture that training may look at: a square of ``REACH`` times the
face, clipped to the picture and shrunk until the face is ``FACE_PX`` pixels (never enlarged).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.errors import DataSetError
from models.pictures import read_picture
from models.training.mask_state_drawings import draw
from models.training.mask_state_examples import FaceExample
from models.training.part import is_in_part

#: Side of the stored square over the longer side of the face box.
REACH: Final = 2.2
#: Longer side of the stored face in pixels at most: what the network's input resolves at its tightest crop.
FACE_PX: Final = 84


@dataclass(frozen=True, slots=True, eq=False)
class CropCache:
    """M examples. ``pixels`` is one long uint8 array; example i lies at ``offsets[i]`` as (h, w, 3) of
    ``hw[i]``.

    ``boxes_xyxy`` float32 (M, 4) are in the stored part's pixels, ``native_px`` the longer side of the face
    in the original picture, ``labels`` and ``kinds`` int32 (M,) as those of ``FaceExample``, ``sources`` str (M,),
    ``held_out`` bool (M,).
    """

    pixels: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    hw: NDArray[np.int32]
    boxes_xyxy: NDArray[np.float32]
    native_px: NDArray[np.float32]
    labels: NDArray[np.int32]
    kinds: NDArray[np.int32]
    sources: NDArray[np.str_]
    held_out: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)

    def region(self, index: int) -> NDArray[np.uint8]:
        """The stored part of example ``index``: uint8 (h, w, 3), RGB, a view."""
        height, width = (int(value) for value in self.hw[index])
        start = int(self.offsets[index])
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)


def build_cache(examples: Sequence[FaceExample], *, title: str = "crops") -> CropCache:
    """Cut out all ``examples``, reading each image once. Raises ``PictureError`` on an image that cannot be
    read."""
    order = sorted(range(len(examples)), key=lambda i: str(examples[i].file))
    regions: list[NDArray[np.uint8]] = []
    boxes: list[NDArray[np.float32]] = []
    current_file, current_rgb = None, None
    for i in tqdm(order, desc=title, unit="crop"):
        example = examples[i]
        if current_rgb is None or example.file != current_file:
            current_file, current_rgb = example.file, read_picture(example.file).rgb()
        rgb = current_rgb if example.drawing is None else draw(current_rgb, example.drawing)
        region, box = _cut_out(rgb, np.array(example.box_xyxy, np.float32))
        regions.append(region)
        boxes.append(box)
    chosen = [examples[i] for i in order]
    lengths = np.array([region.size for region in regions], np.int64)
    return CropCache(
        pixels=np.concatenate([np.zeros(0, np.uint8), *(region.reshape(-1) for region in regions)]),
        offsets=np.cumsum(lengths) - lengths,
        hw=np.array([region.shape[:2] for region in regions], np.int32).reshape(-1, 2),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        native_px=np.array([_longer_side(np.array(e.box_xyxy)) for e in chosen], np.float32),
        labels=np.array([example.label for example in chosen], np.int32),
        kinds=np.array([example.kind for example in chosen], np.int32),
        sources=np.array([example.source for example in chosen], np.str_),
        held_out=np.array([example.held_out for example in chosen], np.bool_),
    )


def part_of_cache(cache: CropCache, part: float) -> CropCache:
    """The held-out examples and the ``part`` (0 to 1) of the others; a view of the pixels."""
    if part == 1:
        return cache
    kept = np.array([is_in_part(f"crop {index}", part) for index in range(len(cache))]) | cache.held_out
    by_example = ("offsets", "hw", "boxes_xyxy", "native_px", "labels", "kinds", "sources", "held_out")
    return replace(cache, **{name: getattr(cache, name)[kept] for name in by_example})


def save_cache(cache: CropCache, path: Path) -> None:
    """Write ``cache`` as an uncompressed ``.npz``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: getattr(cache, name) for name in CropCache.__slots__})


def load_cache(path: Path) -> CropCache:
    """Read what ``save_cache`` wrote. Raises ``DataSetError`` when it is missing or something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return CropCache(**{name: arrays[name] for name in CropCache.__slots__})
    except (OSError, ValueError, KeyError) as error:
        raise DataSetError(f"{path}: is no crop cache: {error}") from error


def _cut_out(
    rgb: NDArray[np.uint8], box_xyxy: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    height, width = rgb.shape[:2]
    side = _longer_side(box_xyxy)
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    low = np.maximum(np.floor(centre - side * REACH / 2), 0).astype(int)
    high = np.minimum(np.ceil(centre + side * REACH / 2), (width, height)).astype(int)
    low = np.minimum(low, np.array((width, height)) - 2)
    high = np.maximum(high, low + 2)
    region = rgb[low[1] : high[1], low[0] : high[0]]
    box = box_xyxy - np.tile(low, 2)
    scale = min(1.0, FACE_PX / side)
    if scale < 1:
        size = (max(2, round(region.shape[1] * scale)), max(2, round(region.shape[0] * scale)))
        box = box * np.tile(np.array(size) / (region.shape[1], region.shape[0]), 2)
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(region), box.astype(np.float32)


def _longer_side(box_xyxy: NDArray[Any]) -> float:
    return max(1.0, float(box_xyxy[2] - box_xyxy[0]), float(box_xyxy[3] - box_xyxy[1]))
