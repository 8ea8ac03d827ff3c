"""What is known of a camera, for people and for the retained MQTT status."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Final

#: Rates are measured over this long.
_WINDOW_S: Final = 5.0


class StreamState(StrEnum):
    """Where a camera stands. Only ONLINE gives frames."""

    CONNECTING = "connecting"
    ONLINE = "online"
    STALLED = "stalled"
    REFUSED = "refused"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A camera's state at one moment.

    - ``code``: why, for machines: ``ok`` when online, ``starting``, ``disabled``, or the ``code`` of the
      ``IngestError`` that ended the last connection.
    - ``reason``: the same for people, without any secret; when online, what the stream carries.
    - ``since``: UTC epoch seconds at which ``state`` was entered.
    - ``fps``: frames per second that the camera delivers (not those analysed), over the last seconds.
    - ``last_frame_age_s``: seconds since the last good frame, or None before the first.
    - ``reconnects``: how often the stream came back after it had been lost.
    - ``held_looks``: looks held back since the camera was configured, because nothing moved.
    """

    state: StreamState
    code: str
    reason: str
    since: float
    fps: float
    last_frame_age_s: float | None
    reconnects: int
    held_looks: int = 0


class RateMeter:
    """Events per second over the last five seconds, or over the last two events where these are further apart. Any
    thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._times: deque[float] = deque()

    def add(self, at_s: float) -> None:
        """One event at this time of one monotonic clock."""
        with self._lock:
            self._times.append(at_s)
            self._forget(at_s)

    def rate(self, now_s: float) -> float:
        """Events per second up to now; 0 when none came for the whole window, nor for two of the last interval."""
        with self._lock:
            self._forget(now_s)
            if len(self._times) < 2:
                return 0.0
            last_s = self._times[-1]
            if now_s - last_s > max(_WINDOW_S, 2 * (last_s - self._times[-2])):
                return 0.0
            span_s = self._times[-1] - self._times[0]
            # Silence counts once it is longer than the gap between events.
            span_s = max(span_s, (now_s - self._times[0]) * (1 - 1 / len(self._times)))
            return (len(self._times) - 1) / span_s if span_s > 0 else 0.0

    def _forget(self, now_s: float) -> None:
        # of a camera that gives a frame each five seconds the window alone would hold one, and tell no rate
        while len(self._times) > 2 and self._times[0] < now_s - _WINDOW_S:
            self._times.popleft()
