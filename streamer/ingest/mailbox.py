"""Hand-over of frames from a camera's decoder thread to the batcher: one slot, the newest wins."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from streamer.frame import Frame


@dataclass(frozen=True, slots=True)
class MailboxCounters:
    """Since the mailbox was made: frames put in, taken out, and dropped because a newer one came first."""

    put: int
    taken: int
    dropped: int


class Mailbox:
    """Holds the newest frame of one camera; an older one that nobody took is dropped and counted.

    Any thread may call any method. ``notify`` is called after each ``put``, from the thread that put and with
    no lock held; the batcher passes the wake-up of its condition, shared by all cameras.
    """

    def __init__(self, camera_id: str, *, notify: Callable[[], None] = lambda: None) -> None:
        self.camera_id = camera_id
        self._notify = notify
        self._lock = Lock()
        self._frame: Frame | None = None
        self._put = 0
        self._taken = 0
        self._dropped = 0

    def put(self, frame: Frame) -> None:
        """Replace whatever is in the slot by ``frame``."""
        with self._lock:
            self._put += 1
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
        self._notify()

    @property
    def is_waiting(self) -> bool:
        """Whether a frame waits."""
        with self._lock:
            return self._frame is not None

    def freshen(self, frame: Frame) -> None:
        """Put a newer frame in the place of the one that waits, if it still does. Nothing counts as dropped by that,
        and nobody is told."""
        with self._lock:
            if self._frame is not None:
                self._frame = frame

    def take(self) -> Frame | None:
        """Empty the slot and return what was in it, or None."""
        with self._lock:
            frame, self._frame = self._frame, None
            if frame is not None:
                self._taken += 1
            return frame

    def peek_age_s(self, now_mono_s: float | None = None) -> float | None:
        """Seconds since the waiting frame was received, or None when the slot is empty.

        ``now_mono_s`` is a reading of ``time.monotonic()``; by default it is read here.
        """
        with self._lock:
            frame = self._frame
        if frame is None:
            return None
        return (time.monotonic() if now_mono_s is None else now_mono_s) - frame.received_mono_s

    def clear(self) -> None:
        """Drop and count what is in the slot: the camera was stopped or its stream lost."""
        with self._lock:
            if self._frame is not None:
                self._dropped += 1
            self._frame = None

    @property
    def counters(self) -> MailboxCounters:
        """A consistent reading of the counters."""
        with self._lock:
            return MailboxCounters(put=self._put, taken=self._taken, dropped=self._dropped)
