"""The whole frames that an ingest part keeps for a while, because somebody may ask for more of them."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from streamer.cluster.wire import FrameKey
from streamer.frame import Frame

#: As long as a look at a frame may take, from the models to its snapshot.
_KEPT_S: Final = 5.0
#: Of one camera: the one that waits for the models, the one that they see, and those that the rules have not reached.
_KEPT_FRAMES: Final = 6


class HeldFrames:
    """The last frames of each camera that were sent to be looked at. Any thread may call."""

    def __init__(
        self,
        *,
        kept_s: float = _KEPT_S,
        kept_frames: int = _KEPT_FRAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept_s = kept_s
        self._kept_frames = kept_frames
        self._clock = clock
        self._lock = Lock()
        self._frames: dict[str, OrderedDict[FrameKey, tuple[float, Frame]]] = {}

    def hold(self, key: FrameKey, frame: Frame) -> None:
        """Keep a frame; what is too old or too much of its camera goes."""
        now_s = self._clock()
        with self._lock:
            held = self._frames.setdefault(key.camera_id, OrderedDict())
            held[key] = now_s, frame
            while len(held) > self._kept_frames:
                held.popitem(last=False)
            self._forget_old(held, now_s)

    def get(self, key: FrameKey) -> Frame | None:
        """The frame, or None when it is gone."""
        with self._lock:
            held = self._frames.get(key.camera_id)
            found = None if held is None else held.get(key)
            return None if found is None else found[1]

    def sweep(self) -> None:
        """Let go of what is too old, of cameras that send nothing too. Call it about once a second."""
        now_s = self._clock()
        with self._lock:
            for held in self._frames.values():
                self._forget_old(held, now_s)

    def drop(self, camera_id: str) -> None:
        """Forget a camera."""
        with self._lock:
            self._frames.pop(camera_id, None)

    def _forget_old(self, held: "OrderedDict[FrameKey, tuple[float, Frame]]", now_s: float) -> None:
        while held and now_s - next(iter(held.values()))[0] > self._kept_s:
            held.popitem(last=False)
