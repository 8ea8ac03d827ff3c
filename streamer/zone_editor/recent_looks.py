"""What was seen at each camera in the last minute, small enough to be kept in memory. No pictures."""

import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.structures import Detections

KEPT_S: Final = 60.0
#: Bounds of one camera and of all together. A look at ten people takes about 1 kB, with the pixels of their gear 5 kB.
CAMERA_BYTES: Final = 2_000_000
ALL_BYTES: Final = 64_000_000

#: Fields of one number a row, and of several, in the order in which they are packed.
_FIELDS: Final = {
    "boxes_xyxy": (4,),
    "scores": (),
    "class_ids": (),
    "landmarks_xy": (5, 2),
    "face_mask_probs": (3,),
    "sharpness": (),
    "row_scales": (),
}
#: Python's objects around the bytes of a look.
_OBJECTS_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class PackedLook:
    """One look. ``seg_masks`` are kept in steps of 1/255; which of their pixels belong (0.5 and above) stays exact."""

    captured_at: float
    image_hw: tuple[int, int]
    input_scale: float
    count: int
    names: tuple[str, ...]
    rows: bytes
    pixels: bytes

    @classmethod
    def of(cls, detections: Detections, captured_at: float) -> "PackedLook":
        """Pack what was seen."""
        names = tuple(name for name in _FIELDS if getattr(detections, name) is not None)
        count = len(detections)
        rows = b"".join(np.asarray(getattr(detections, name), np.float32).tobytes() for name in names)
        masks = detections.seg_masks
        pixels = b"" if masks is None else zlib.compress(np.round(masks * 255).astype(np.uint8).tobytes(), 1)
        return cls(captured_at, detections.image_hw, detections.input_scale, count, names, rows, pixels)

    def detections(self) -> Detections:
        """What was seen."""
        values: dict[str, NDArray[np.float32]] = {}
        start = 0
        for name in self.names:
            shape = (self.count, *_FIELDS[name])
            size = int(np.prod(shape))
            values[name] = np.frombuffer(self.rows, np.float32, size, start).reshape(shape)
            start += 4 * size
        masks = None
        if self.pixels:
            levels = np.frombuffer(zlib.decompress(self.pixels), np.uint8)
            masks = levels.reshape(self.count, 28, 28).astype(np.float32) / np.float32(255)
        return Detections(
            image_hw=self.image_hw,
            input_scale=self.input_scale,
            boxes_xyxy=values.pop("boxes_xyxy"),
            scores=values.pop("scores"),
            class_ids=values.pop("class_ids").astype(np.int32),
            seg_masks=masks,
            **values,
        )

    @property
    def taken_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.rows) + len(self.pixels) + _OBJECTS_BYTES


class RecentLooks:
    """A ring for each camera. Any thread may call."""

    def __init__(
        self, *, kept_s: float = KEPT_S, camera_bytes: int = CAMERA_BYTES, all_bytes: int = ALL_BYTES
    ) -> None:
        self._kept_s = kept_s
        self._camera_bytes = camera_bytes
        self._all_bytes = all_bytes
        self._lock = Lock()
        self._rings: dict[str, deque[PackedLook]] = {}
        self._taken: dict[str, int] = {}

    def take(self, camera_id: str, detections: Detections, captured_at: float) -> None:
        """A look was judged."""
        look = PackedLook.of(detections, captured_at)
        with self._lock:
            ring = self._rings.setdefault(camera_id, deque())
            if ring and captured_at < ring[-1].captured_at:
                # a clock that was set back: what was seen before is no longer the minute before
                ring.clear()
                self._taken[camera_id] = 0
            ring.append(look)
            self._taken[camera_id] = self._taken.get(camera_id, 0) + look.taken_bytes
            most = min(self._camera_bytes, self._all_bytes // len(self._rings))
            while ring and (
                self._taken[camera_id] > most or ring[0].captured_at < captured_at - self._kept_s
            ):
                self._taken[camera_id] -= ring.popleft().taken_bytes

    def of(self, camera_id: str) -> tuple[PackedLook, ...]:
        """The looks at a camera, oldest first."""
        with self._lock:
            return tuple(self._rings.get(camera_id, ()))

    def keep_only(self, camera_ids: Iterable[str]) -> None:
        """Forget the cameras that are no longer there."""
        kept = set(camera_ids)
        with self._lock:
            for camera_id in self._rings.keys() - kept:
                del self._rings[camera_id], self._taken[camera_id]

    @property
    def taken_bytes(self) -> int:
        """Memory that all of them take."""
        with self._lock:
            return sum(self._taken.values())
