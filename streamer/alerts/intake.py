"""Puts alerts into the outbox, and holds on to them while that is impossible."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox, check_snapshot
from streamer.alerts.payload import Alert

_log = logging.getLogger(__name__)

_RETRY_S: Final = 5.0
_RETENTION_S: Final = 60.0
_REMINDER_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class IntakeStatus:
    """``held`` alerts wait in memory for room on the disk; ``lost`` were given up because too many waited.

    ``problem`` says why the outbox cannot take them, and is empty when it can.
    """

    held: int
    lost: int
    problem: str


@dataclass(frozen=True, slots=True)
class _Held:
    alert: Alert
    jpeg: bytes | None
    at: float
    trace: Any


class AlertIntake:
    """The way into the outbox for the application. Safe from any thread.

    An alert that the outbox cannot store (disk full, database locked or damaged) is kept in memory, in order,
    and stored as soon as that works; ``held_alerts`` and ``held_bytes`` bound how many, the oldest go first.
    All of it is logged and counted. ``notify`` is called after something was stored.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        notify: Callable[[], None] | None = None,
        held_alerts: int = 1000,
        held_bytes: int = 64_000_000,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._notify = notify
        self._held_alerts = held_alerts
        self._held_bytes = held_bytes
        self._wall_clock = wall_clock
        self._clock = clock
        self._lock = threading.RLock()
        self._held: deque[_Held] = deque()
        self._bytes = 0
        self._lost = 0
        self._problem = ""
        self._reminded_s = 0.0
        self._next_retry_s = 0.0
        self._next_retention_s = 0.0

    def submit(self, alert: Alert, snapshot_jpeg: bytes | None = None, *, trace: Any = None) -> int | None:
        """Store an alert with its picture and trace; returns its ``seq``, or None when it is held in memory.

        Raises ``ValueError`` when the picture does not belong to the alert.
        """
        check_snapshot(alert, snapshot_jpeg)
        item = _Held(alert, snapshot_jpeg, self._wall_clock(), trace)
        with self._lock:
            if self._held:
                # order: nothing overtakes what is held; and a full disk is not asked for each alert anew
                self._hold(item)
                self._retry()
                return None
            try:
                seq = self._enqueue(item)
            except OutboxError as error:
                self._hold(item)
                self._report(error)
                return None
        self._stored()
        return seq

    def housekeeping(self) -> None:
        """Call this about once a second:

        retries what is held, and removes what is beyond the limits of history.
        """
        with self._lock:
            self._retry()
            now = self._clock()
            if now < self._next_retention_s:
                return
            try:
                removed = self._outbox.enforce_limits(at=self._wall_clock())
            except OutboxError as error:
                self._report(error)
                removed = 0
            else:
                self._problem = self._problem if self._held else ""
            # a full batch means that there is more: go on at the next call
            self._next_retention_s = now if removed else now + _RETENTION_S

    def flush(self) -> int:
        """Try to store everything that is held, at the end of the run;

        returns how many are still held and so lost.
        """
        with self._lock:
            self._next_retry_s = 0.0
            self._retry()
            if self._held:
                _log.critical(
                    "%d alerts could not be stored and are lost: %s", len(self._held), self._problem
                )
            return len(self._held)

    @property
    def status(self) -> IntakeStatus:
        """How it stands now."""
        with self._lock:
            return IntakeStatus(held=len(self._held), lost=self._lost, problem=self._problem)

    def _enqueue(self, item: _Held) -> int:
        return self._outbox.enqueue(item.alert, item.jpeg, at=item.at, trace=item.trace)

    def _retry(self) -> None:
        if not self._held or self._clock() < self._next_retry_s:
            return
        count = 0
        try:
            while self._held:
                count += self._stores(self._held[0])
                self._bytes -= len(self._held.popleft().jpeg or b"")
        except OutboxError as error:
            self._report(error)
        else:
            _log.warning("the outbox takes alerts again: %d that were held in memory are stored", count)
            self._problem = ""
        if count:
            self._stored()

    def _stores(self, item: _Held) -> bool:
        """Store what was held; an error of our own costs this alert and not those behind it. Raises ``OutboxError``."""
        try:
            self._enqueue(item)
        except OutboxError:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with one alert, those behind it are to be stored
            self._lost += 1
            _log.critical(
                "lost %s of alert %s, which cannot be stored at all (%d lost so far)",
                item.alert.type,
                item.alert.alert_id,
                self._lost,
                exc_info=True,
            )
            return False
        return True

    def _hold(self, item: _Held) -> None:
        self._held.append(item)
        self._bytes += len(item.jpeg or b"")
        while len(self._held) > max(1, self._held_alerts) or (
            self._bytes > self._held_bytes and len(self._held) > 1
        ):
            oldest = self._held.popleft()
            self._bytes -= len(oldest.jpeg or b"")
            self._lost += 1
            _log.critical(
                "too many alerts wait for the outbox: lost %s of alert %s (%d lost so far)",
                oldest.alert.type,
                oldest.alert.alert_id,
                self._lost,
            )

    def _report(self, error: OutboxError) -> None:
        now = self._clock()
        self._next_retry_s = now + _RETRY_S
        if str(error) != self._problem or now - self._reminded_s >= _REMINDER_S:
            self._reminded_s = now
            if self._held:
                _log.critical("alerts cannot be stored, %d are held in memory: %s", len(self._held), error)
            else:
                _log.error("the outbox cannot remove old history: %s", error)
        self._problem = str(error)

    def _stored(self) -> None:
        if self._notify is not None:
            self._notify()
