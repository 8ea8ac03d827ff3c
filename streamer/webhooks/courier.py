"""Tells one target what it is owed, for as long as the site runs."""

import threading
import time
from collections.abc import Callable
from typing import Final

from streamer.alerts.outbox import Outbox
from streamer.pulse import NoPulse, Pulse
from streamer.webhooks.backoff import Backoff
from streamer.webhooks.line import Line
from streamer.webhooks.record import Record
from streamer.webhooks.state import WebhookCondition
from streamer.webhooks.target import WebhookTarget

#: A thread that was told to end is waited for so long beyond what it may still send.
_END_S: Final = 2.0


class Courier:
    """A thread that posts to ``target`` what the ledger owes it. Every method may be called from any thread.

    ``on_change`` is told of every other state, reason or count of drops.
    """

    def __init__(
        self,
        target: WebhookTarget,
        outbox: Outbox,
        *,
        pulse: Pulse | None = None,
        user_agent: str = "ppewatch",
        backoff: Backoff | None = None,
        dropped: int = 0,
        on_change: Callable[[], None] = lambda: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.target = target
        self._record = Record(target, dropped=dropped, on_change=on_change, wall_clock=wall_clock)
        self._lock = threading.Lock()
        self._stopping = False

        def new_line(pulse: Pulse) -> Line:
            return Line(
                target,
                outbox,
                self._record,
                pulse,
                backoff=backoff or Backoff(),
                user_agent=user_agent,
                wall_clock=wall_clock,
            )

        self._new_line = new_line
        self._line, self._thread = self._begin(pulse or NoPulse())

    def start(self) -> None:
        """Start the thread. The target may be away."""
        self._thread.start()

    def notify(self) -> None:
        """Something was put into the outbox."""
        self._line.wakeup.set()

    def retry_now(self) -> None:
        """Do not wait for the next attempt; try a target again that was gone."""
        self._line.retry_now()

    def restart(self, pulse: Pulse) -> None:
        """Go on in another thread: the present one hangs or has ended. What it was telling is told again."""
        with self._lock:
            if self._stopping:
                return
            self._line.abandon()
            self._line, self._thread = self._begin(pulse)
        self._thread.start()

    def request_stop(self, drain_s: float) -> None:
        """Begin to post what waits, for ``drain_s`` at most, and then to end; returns at once."""
        with self._lock:
            self._stopping = True
            self._line.finish(drain_s)

    def stop(self, drain_s: float = 0.0) -> None:
        """Post what waits, for ``drain_s`` at most; the rest stays in the ledger."""
        self.request_stop(drain_s)
        now_s = time.monotonic()
        self.cut(now_s + drain_s)
        self.end(now_s + drain_s)

    def cut(self, by_s: float) -> None:
        """After ``request_stop``: what is not posted by ``by_s`` (monotonic) stays in the ledger."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, by_s - time.monotonic()))
        self._line.abandon()

    def end(self, cut_s: float) -> None:
        """After ``cut``: wait for the thread, until two seconds after ``cut_s``."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, cut_s + _END_S - time.monotonic()))
        self._record.stopped()

    @property
    def condition(self) -> WebhookCondition:
        """How it stands now."""
        return self._record.condition

    def _begin(self, pulse: Pulse) -> tuple[Line, threading.Thread]:
        line = self._new_line(pulse)
        self._record.present = line
        return line, threading.Thread(target=line.run, name=f"webhook-{self.target.name}", daemon=True)
