"""What one thread of a courier does: takes entries out of the ledger in order, posts them, and settles them.

A thread that hangs keeps its line, and finds it ended when it comes back; what it was telling is told again.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox
from streamer.pulse import Pulse
from streamer.webhooks.backoff import Backoff
from streamer.webhooks.ledger import Entry, WebhookLedger
from streamer.webhooks.message import alert_message
from streamer.webhooks.posting import Answer, Poster, Verdict
from streamer.webhooks.record import Record
from streamer.webhooks.signing import webhook_headers
from streamer.webhooks.target import PictureForm, WebhookTarget
from streamer.webhooks.waiting import WaitingEvents

_log = logging.getLogger(__name__)

_TICK_S: Final = 1.0
_BATCH: Final = 500
#: Finding out a name is not bounded by the time of a post: a name server that does not answer is asked twice by the C
#: library, and nothing can stop it.
_NAMES_S: Final = 60.0
#: A message that the target does not take is tried again after this at first, while others go on.
_REJECTED: Final = Backoff(initial_s=10.0, max_s=3600.0)


class Line:
    """``run`` is the thread; ``record`` is told how it goes while this line is the courier's present one."""

    def __init__(
        self,
        target: WebhookTarget,
        outbox: Outbox,
        record: Record,
        pulse: Pulse,
        *,
        backoff: Backoff,
        user_agent: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._outbox = outbox
        self._record = record
        self._pulse = pulse
        self._backoff = backoff
        self._wall_clock = wall_clock
        self._poster = Poster(target, user_agent=user_agent)
        self._ledger: WebhookLedger | None = None
        self._last_number = 0
        self._caught_up = False
        self._waiting = WaitingEvents()
        #: what was posted, or given up, and could not be written to the ledger yet
        self._settled: list[str] = []
        self._dropped: list[str] = []
        self._failures = 0
        self._not_before_s = 0.0
        self._without_picture: set[str] = set()
        self.ended = threading.Event()
        self.wakeup = threading.Event()
        self._drain_until_s: float | None = None
        self._retry = threading.Event()

    # -- from any thread ----------------------------------------------------------------------------

    def retry_now(self) -> None:
        """Forget what was put off, also that the target is gone."""
        self._retry.set()
        self.wakeup.set()

    def finish(self, drain_s: float) -> None:
        """End once nothing waits, something fails, or ``drain_s`` have passed."""
        self._drain_until_s = time.monotonic() + drain_s
        self.wakeup.set()

    def abandon(self) -> None:
        """End at once, in the middle of a post."""
        self.ended.set()
        self._poster.cut()
        self.wakeup.set()

    # -- the thread ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Until ``finish`` or ``abandon``."""
        while not self.ended.is_set():
            self._pulse.beat()
            entry = None
            try:
                entry = self._next()
                if entry is not None:
                    self._tell(entry)
                    continue
            except OutboxError as error:
                self._record.troubled(self, str(error))
            except Exception:  # noqa: BLE001 - the thread that carries alerts must outlive any one of them
                _log.exception("webhook %s: an error of our own", self._target.name)
                if entry is None:
                    self._put_off(None)
                else:
                    # it may be the event's own, which must not hold up the others
                    self._hold(entry)
            if self._drain_until_s is not None:
                break
            self.wakeup.wait(self._pause_s())
            self.wakeup.clear()
        if not self.ended.is_set():
            self._record_settled()

    def _next(self) -> Entry | None:
        """What is to be told now, after a look at the ledger."""
        if self._retry.is_set():
            self._retry.clear()
            self._failures, self._not_before_s = 0, 0.0
            self._waiting.release()
            self._record.hopeful(self)
        self._record_settled()
        self._take_in()
        self._bound()
        now_s = time.monotonic()
        self._record.waits(self, self._waiting, self._not_before_s)
        late = self._drain_until_s is not None and (now_s > self._drain_until_s or self._failures > 0)
        if late or self._record.is_gone or now_s < self._not_before_s:
            return None
        return self._waiting.due(now_s)

    def _take_in(self) -> None:
        """Entries that came since the last look; those that the target does not want are settled at once."""
        ledger = self._outbox.webhooks
        if ledger is not self._ledger:
            # the first look, or the database was damaged and another has taken its place
            self._ledger, self._last_number, self._waiting = ledger, 0, WaitingEvents()
            self._caught_up = False
        ledger.add_target(self._target.name)
        while entries := ledger.entries(self._target.name, after=self._last_number, limit=_BATCH):
            wanted = []
            for entry in entries:
                try:
                    if self._wants(entry):
                        wanted.append(entry)
                    else:
                        self._settled.append(entry.event_id)
                except (ValueError, KeyError, TypeError, RecursionError):
                    # the outbox looks at opening through what waits for the broker, and not through what it has taken
                    _log.critical(
                        "webhook %s: %s is not what was stored, and given up",
                        self._target.name,
                        entry.event_id,
                    )
                    self._dropped.append(entry.event_id)
            self._waiting.add(wanted, came_s=time.monotonic() if self._caught_up else None)
            self._last_number = entries[-1].number
            # a disk that takes nothing keeps nobody from being told
            self._record_settled()
            self._pulse.beat()
        self._caught_up = True

    def _wants(self, entry: Entry) -> bool:
        """Raises ``ValueError`` and the like where the message was torn by the disk."""
        if entry.type not in self._target.types:
            return False
        if entry.seq is None:
            return self._target.wants_camera(entry.subject)
        message = self._outbox.message(entry.seq)
        return message is not None and self._target.wants_alert(json.loads(message.body))

    def _bound(self) -> None:
        gone = self._waiting.surplus(
            most=self._target.max_waiting,
            max_age_s=self._target.max_age_s,
            at=self._wall_clock(),
            now_s=time.monotonic(),
        )
        self._dropped += [entry.event_id for entry in gone]
        if self._dropped:
            try:
                self._outbox.webhooks.settle(self._target.name, self._dropped, dropped=True)
            except OutboxError as error:
                self._record.troubled(self, str(error))
            else:
                self._dropped.clear()
        self._record.counted_drops(self, self._outbox.webhooks.targets().get(self._target.name, 0))

    def _tell(self, entry: Entry) -> None:
        at = self._wall_clock()
        body = self._body_of(entry, at)
        if body is None:
            # the outbox gave it up meanwhile, and counted it
            self._waiting.remove(entry)
            return
        self._pulse.allow(self._target.timeout_s + _NAMES_S)
        answer = self._poster.post(body, webhook_headers(self._target.keys, entry.event_id, int(at), body))
        self._pulse.beat()
        if answer.verdict is Verdict.DELIVERED:
            # also where this line was given up meanwhile: the target has it
            self._settled.append(entry.event_id)
            self._record_settled()
            self._waiting.remove(entry)
            self._failures = 0
            self._record.delivered(self, answer)
        elif not self.ended.is_set():
            self._failed(entry, answer)

    def _failed(self, entry: Entry, answer: Answer) -> None:
        embedded = self._target.picture is PictureForm.EMBED and entry.event_id not in self._without_picture
        if answer.is_of_the_message:
            if answer.verdict is Verdict.TOO_LARGE and embedded:
                self._without_picture.add(entry.event_id)
            else:
                self._hold(entry, answer.retry_after_s)
        elif answer.verdict is not Verdict.GONE:
            self._put_off(answer.retry_after_s)
        self._record.failed(self, answer, entry, waiting=len(self._waiting))

    def _hold(self, entry: Entry, retry_after_s: float | None = None) -> None:
        delay_s = _REJECTED.delay_s(self._waiting.attempted(entry), retry_after_s)
        self._waiting.hold(entry, time.monotonic() + delay_s)

    def _put_off(self, retry_after_s: float | None) -> None:
        self._failures += 1
        self._not_before_s = time.monotonic() + self._backoff.delay_s(self._failures, retry_after_s)

    def _body_of(self, entry: Entry, at: float) -> bytes | None:
        if entry.seq is None:
            return self._outbox.webhooks.body(self._target.name, entry.event_id)
        message = self._outbox.message(entry.seq)
        if message is None:
            return None
        return alert_message(
            message,
            self._target,
            type_=entry.type,
            at=at,
            without_picture=entry.event_id in self._without_picture,
        )

    def _record_settled(self) -> None:
        """What cannot be written now is kept, and not posted again."""
        if self._settled:
            try:
                self._outbox.webhooks.settle(self._target.name, self._settled)
            except OutboxError as error:
                self._record.troubled(self, str(error))
            else:
                self._without_picture.difference_update(self._settled)
                self._settled.clear()

    def _pause_s(self) -> float:
        now_s = time.monotonic()
        due_s = [self._not_before_s, self._waiting.next_due_s() or 0.0]
        return min([_TICK_S, *(at_s - now_s for at_s in due_s if at_s > now_s)])
