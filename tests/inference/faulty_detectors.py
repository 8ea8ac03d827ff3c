"""Detectors that answer like real ones, and fail on demand: fault injectors for the worker."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.detector import ModelSet
from models.pictures import ArrayPicture
from models.structures import Detections, Picture
from streamer.frame import Frame

#: A picture whose first pixel is this is the one on which a faulty detector may fail.
POISON_RED = 251


def frame(camera_id: str, *, index: int = 0, image_hw: tuple[int, int] = (48, 64), red: int = 10) -> Frame:
    pixels = np.full((*image_hw, 3), 10, np.uint8)
    pixels[..., 0] = red
    return Frame(
        camera_id=camera_id,
        index=index,
        pts_s=None,
        captured_at=1_700_000_000.0 + index,
        received_mono_s=time.monotonic(),
        picture=ArrayPicture(pixels),
    )


class BrightnessDetector:
    """Finds one face per picture, as large as the picture, whose score is the red of its first pixel / 255.

    ``fault(pictures, input_hw, calls)`` runs first and may raise or sleep; ``calls`` counts from 1.
    """

    def __init__(
        self,
        *,
        device: str = "cpu",
        fault: Callable[[Sequence[Picture], tuple[int, int], int], None] | None = None,
        warm_up_fault: Callable[[tuple[int, int], int], None] | None = None,
        call_s: float = 0.0,
    ) -> None:
        self.device = device
        self.calls = 0
        self.batch_sizes: list[int] = []
        self.warmed: list[tuple[tuple[int, int], int]] = []
        self.threads: set[int] = set()
        self.models: list[tuple[ModelSet, ...] | None] = []
        self._fault = fault
        self._warm_up_fault = warm_up_fault
        self._call_s = call_s

    @property
    def digests(self) -> Mapping[str, str]:
        return {"brightness": "sha256:" + "0" * 64}

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        self.threads.add(threading.get_ident())
        for count in batch_sizes:
            if self._warm_up_fault is not None:
                self._warm_up_fault(input_hw, count)
            self.warmed.append((input_hw, count))

    def detect(
        self,
        pictures: Sequence[Picture],
        input_hw: tuple[int, int],
        models: Sequence[ModelSet] | None = None,
    ) -> list[Detections]:
        self.models.append(None if models is None else tuple(models))
        self.threads.add(threading.get_ident())
        self.calls += 1
        self.batch_sizes.append(len(pictures))
        if self._fault is not None:
            self._fault(pictures, input_hw, self.calls)
        time.sleep(self._call_s)
        found = []
        for picture in pictures:
            height, width = picture.image_hw
            found.append(
                Detections(
                    image_hw=(height, width),
                    boxes_xyxy=np.array([[0, 0, width, height]], np.float32),
                    scores=picture.rgb()[0, :1, 0] / np.float32(255),
                    class_ids=np.zeros(1, np.int32),
                )
            )
        return found


def is_poison(picture: Picture) -> bool:
    return bool(picture.rgb()[0, 0, 0] == POISON_RED)


def is_blank(picture: Picture) -> bool:
    return bool((picture.rgb() == 114).all())
