"""What the inference hands on: detections with the frame they were made of, through a bounded queue."""

from collections import deque
from dataclasses import dataclass
from threading import Condition

from models.structures import Detections
from streamer.frame import Frame


@dataclass(frozen=True, slots=True)
class LookTimings:
    """Where one frame's time went, in seconds.

    - ``waited_s``: from its reception to the start of its batch.
    - ``detect_s``: its batch, from start to detections (retries included).
    - ``batch_size``: pictures in the batch.
    - ``finished_mono_s``: ``time.monotonic()`` when the detections were there.
    """

    waited_s: float
    detect_s: float
    batch_size: int
    finished_mono_s: float


@dataclass(frozen=True, slots=True, eq=False)
class InferenceResult:
    """One look at one camera."""

    frame: Frame
    detections: Detections
    timings: LookTimings


class ResultQueue:
    """Between the worker and the rules: keeps the order, holds at most ``capacity`` results.

    When it is full the oldest result is dropped and counted, so that rules which fall behind neither stall
    the cameras nor judge the past. Any thread may call any method.
    """

    def __init__(self, capacity: int = 64) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._results: deque[InferenceResult] = deque()
        self._changed = Condition()
        self._dropped: dict[str, int] = {}
        self._closed = False

    def put(self, result: InferenceResult) -> None:
        """Add a result; never blocks. After ``close`` results are dropped and counted."""
        with self._changed:
            if self._closed:
                self._count_drop(result)
                return
            if len(self._results) >= self._capacity:
                self._count_drop(self._results.popleft())
            self._results.append(result)
            self._changed.notify()

    def get(self, timeout_s: float) -> InferenceResult | None:
        """The oldest result, or None after ``timeout_s`` without one or once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._results or self._closed, timeout_s)
            return self._results.popleft() if self._results else None

    def close(self) -> None:
        """Take no more results; those inside can still be read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def __len__(self) -> int:
        return len(self._results)

    @property
    def dropped(self) -> dict[str, int]:
        """Results dropped so far, by camera."""
        with self._changed:
            return dict(self._dropped)

    def _count_drop(self, result: InferenceResult) -> None:
        camera_id = result.frame.camera_id
        self._dropped[camera_id] = self._dropped.get(camera_id, 0) + 1
