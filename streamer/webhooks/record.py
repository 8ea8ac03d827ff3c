"""What a courier knows of its target, kept for whoever asks, and said in the log when it changes."""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from streamer.webhooks.ledger import Entry
from streamer.webhooks.posting import Answer, Verdict
from streamer.webhooks.state import WebhookCondition, WebhookState
from streamer.webhooks.target import WebhookTarget
from streamer.webhooks.waiting import WaitingEvents

_log = logging.getLogger(__name__)

_REMINDER_S: Final = 300.0


class Record:
    """Told by the lines of one courier, of which only the ``present`` one is believed. Any thread may call."""

    def __init__(
        self,
        target: WebhookTarget,
        *,
        dropped: int = 0,
        on_change: Callable[[], None] = lambda: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = target.name
        self._address = target.shown
        self._on_change = on_change
        self._wall_clock = wall_clock
        self._lock = Lock()
        self.present: object | None = None
        self._state = WebhookState.IDLE
        self._reason = self._detail = ""
        self._since = wall_clock()
        self._waiting = 0
        self._oldest_at: float | None = None
        self._next_s = 0.0
        self._delivered = self._failed = 0
        self._dropped = dropped
        self._last_delivered_at: float | None = None
        self._reminded_s = 0.0
        self._trouble = ""

    @property
    def is_gone(self) -> bool:
        """Whether the target wants nothing any more."""
        return self._state is WebhookState.GONE

    @property
    def condition(self) -> WebhookCondition:
        """How it stands now."""
        with self._lock:
            wait_s = self._next_s - time.monotonic()
            return WebhookCondition(
                name=self._name,
                address=self._address,
                state=self._state,
                reason=self._reason,
                detail=self._detail,
                since=self._since,
                waiting=self._waiting,
                oldest_age_s=None
                if self._oldest_at is None
                else max(0.0, self._wall_clock() - self._oldest_at),
                next_attempt_s=wait_s if wait_s > 0 else None,
                delivered=self._delivered,
                failed_attempts=self._failed,
                dropped=self._dropped,
                last_delivered_at=self._last_delivered_at,
            )

    def waits(self, line: object, waiting: WaitingEvents, not_before_s: float) -> None:
        """What waits, and until when everything is put off (monotonic s)."""
        oldest = waiting.oldest()
        with self._lock:
            if line is self.present:
                self._waiting = len(waiting)
                self._oldest_at = None if oldest is None else oldest.created_at
                self._next_s = not_before_s

    def delivered(self, line: object, answer: Answer) -> None:
        """The target has acknowledged an event."""
        with self._lock:
            if line is not self.present:
                return
            self._delivered += 1
            self._waiting = max(0, self._waiting - 1)
            self._oldest_at = self._oldest_at if self._waiting else None
            self._last_delivered_at = self._wall_clock()
            before = self._state
        if self._set(WebhookState.OK, answer) and before is WebhookState.FAILING:
            _log.info("webhook %s (%s) takes events again", self._name, self._address)

    def failed(self, line: object, answer: Answer, entry: Entry, *, waiting: int) -> None:
        """The target has not acknowledged ``entry``."""
        with self._lock:
            if line is not self.present:
                return
            self._failed += 1
        gone = answer.verdict is Verdict.GONE
        changed = self._set(WebhookState.GONE if gone else WebhookState.FAILING, answer)
        if gone:
            _log.error(
                "webhook %s (%s): %s; nothing is posted there until the next reload, %d events wait",
                self._name, self._address, answer.detail, waiting,
            )  # fmt: skip
        elif changed or time.monotonic() - self._reminded_s > _REMINDER_S:
            self._reminded_s = time.monotonic()
            _log.warning(
                "webhook %s (%s): %s (%s of %s); %d events wait, and are tried again",
                self._name, self._address, answer.detail, entry.type, entry.subject, waiting,
            )  # fmt: skip

    def hopeful(self, line: object) -> None:
        """A target that was gone is tried again."""
        if line is self.present and self.is_gone:
            self._set(WebhookState.IDLE, Answer(Verdict.DELIVERED))

    def counted_drops(self, line: object, dropped: int) -> None:
        """So many of its events were given up over its life."""
        with self._lock:
            more = dropped - self._dropped
            if line is not self.present or more == 0:
                return
            self._dropped = dropped
        if more > 0:
            _log.error(
                "webhook %s (%s): %d events were given up, %d in all: too old, too many, or their messages removed",
                self._name, self._address, more, dropped,
            )  # fmt: skip
        self._on_change()

    def troubled(self, line: object, problem: str) -> None:
        """The ledger cannot be read or written."""
        if line is self.present and problem != self._trouble:
            self._trouble = problem
            _log.error("webhook %s: the ledger cannot be used: %s", self._name, problem)

    def stopped(self) -> None:
        """Nobody posts any more."""
        self._set(WebhookState.STOPPED, Answer(Verdict.DELIVERED))

    def _set(self, state: WebhookState, answer: Answer) -> bool:
        """Whether state or reason are others than before."""
        # what neither was tried nor failed has none
        reason = "" if state in {WebhookState.IDLE, WebhookState.STOPPED} else str(answer.verdict)
        with self._lock:
            changed = (self._state, self._reason) != (state, reason)
            if changed:
                self._since = self._wall_clock()
            self._state, self._reason, self._detail = state, reason, answer.detail
        if changed:
            self._on_change()
        return changed
