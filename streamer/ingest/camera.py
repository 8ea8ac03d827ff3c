"""Keeps one camera connected: tries again, politely, and says how it stands."""

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import Final

from streamer.ingest.attempt import Attempt
from streamer.ingest.counters import StreamCounters, StreamFormat
from streamer.ingest.errors import CredentialsRefused, EndOfStream, IngestError, StreamStalled
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.mailbox import Mailbox
from streamer.ingest.retry import RetryPolicy
from streamer.ingest.session import LookGate, StreamWatch
from streamer.ingest.source import Source
from streamer.ingest.status import StreamState, StreamStatus
from streamer.ingest.urls import SourceKind
from streamer.pulse import Pulse

logger = logging.getLogger(__name__)

#: How often a running connection is looked after; the resolution of stall detection.
_WATCH_S: Final = 0.5

#: libav ends a silent connection itself at the limit; one that is still there so much later hangs.
_HANG_GRACE_S: Final = 2.0

#: Longest time between two signs of life.
_BEAT_S: Final = 2.0

#: A stopped connection gets so long to close its socket before its thread is left to itself.
_STOP_GRACE_S: Final = 1.5

#: With so many threads of one camera still hanging no further connection is tried.
_MOST_HANGING: Final = 2


class CameraIngest:
    """One configured camera: a supervising thread, and per connection a decoder thread that fills the
    mailbox.

    - ``fps``: frames per second that go into the mailbox; None for all. ``phase``: see ``FrameSampler``.
    - ``new_gate``: makes the gate of each connection, which holds back frames that are due; None: all go in.
    - ``watch``: looks after the camera, through all its connections; None: nobody does.
    - ``retry``: this camera's own policy (it counts failures); ``hosts``: the budget that all cameras share.
    - ``pulse``: beats while the supervising thread does its work, whatever the camera does.
    - ``on_status(camera_id, status)``: called when the state or its code changes, from the supervising
      thread and with no lock held; must return soon.

    ``start`` returns at once whatever the camera does. Any thread may call the methods.
    """

    def __init__(
        self,
        source: Source,
        mailbox: Mailbox,
        *,
        hosts: HostBudget,
        retry: RetryPolicy | None = None,
        fps: float | None = None,
        phase: float = 0.0,
        new_gate: Callable[[], LookGate] | None = None,
        watch: StreamWatch | None = None,
        enabled: bool = True,
        pulse: Pulse | None = None,
        on_status: Callable[[str, StreamStatus], None] = lambda _camera_id, _status: None,
    ) -> None:
        self.camera_id = mailbox.camera_id
        self.counters = StreamCounters()
        self._source = source
        self._mailbox = mailbox
        self._hosts = hosts
        self._retry = retry or RetryPolicy()
        self._fps = fps
        self._phase = phase
        self._new_gate = new_gate
        self._watch = watch
        self._on_status = on_status
        self._pulse = pulse
        # Guards everything below, and wakes the supervising thread.
        self._changed = Condition()
        self._enabled = enabled
        self._stopping = False
        self._retry_asked = False
        self._state = StreamState.CONNECTING if enabled else StreamState.DISABLED
        self._code = "starting" if enabled else "disabled"
        self._reason = "not connected yet" if enabled else "switched off"
        self._since = time.time()
        self._reconnects = 0
        self._was_online = False
        self._stream: StreamFormat | None = None
        self._last_good_mono_s: float | None = None
        self._attempt: Attempt | None = None
        self._hanging: list[Attempt] = []
        self._at_host = False
        self._thread = Thread(target=self._supervise, name=f"camera-{self.camera_id}", daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask for the end and return at once; ``stop`` then waits for it."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the connection and the threads; whether all ended in time.

        A thread that a hanging camera holds is left behind, gives nothing more, and ends at its own time
        limit.
        """
        self.request_stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._changed:
            return not self._thread.is_alive() and not self._still_hanging()

    def abandon(self) -> None:
        """Leave a supervising thread that hangs to itself, with its connection, and wait for nothing: neither gives
        anything more.
        """
        self._stopping = True
        attempt = self._attempt
        if attempt is not None:
            attempt.abandon()
        self._leave_host()

    @property
    def enabled(self) -> bool:
        """Whether the camera is switched on."""
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        """Switch the camera on or off; on tries at once, also after refused credentials."""
        with self._changed:
            self._enabled = enabled
            self._retry_asked = enabled
            self._changed.notify_all()

    def retry_now(self) -> None:
        """Do not wait any longer, also after refused credentials or the end of a recording."""
        with self._changed:
            self._retry_asked = True
            self._changed.notify_all()

    def status(self) -> StreamStatus:
        """How the camera stands now."""
        now = time.monotonic()
        with self._changed:
            last_s = self._last_good_s()
            return StreamStatus(
                state=self._state,
                code=self._code,
                reason=self._reason,
                since=self._since,
                fps=round(self._attempt.fps(now), 2) if self._attempt else 0.0,
                last_frame_age_s=None if last_s is None else max(0.0, now - last_s),
                reconnects=self._reconnects,
                held_looks=self.counters.held_looks,
            )

    @property
    def stream(self) -> StreamFormat | None:
        """What the stream carries, or last carried; None before the first frame."""
        with self._changed:
            return self._stream

    def _supervise(self) -> None:
        while not self._stopping:
            if not self._enabled:
                self._set_state(StreamState.DISABLED, "disabled", "switched off")
                self._mailbox.clear()
                self._pause(None, until=lambda: self._enabled)
                continue
            if not self._may_connect():
                continue
            self._retry_asked = False
            ended, online_s = self._connect()
            if online_s:
                self._retry_asked = False  # asked for while there was nothing to retry
            if ended is None:
                continue
            delay_s = self._retry.delay_after(ended, online_s)
            self._report_end(ended)
            self._pause(delay_s, until=lambda: self._retry_asked or not self._enabled)
            if self._retry_asked:
                self._retry.reset()

    def _may_connect(self) -> bool:
        """Wait for hanging threads and the host's budget; False when meanwhile something else is wanted."""
        while len(self._still_hanging()) >= _MOST_HANGING:
            if self._unwanted():
                return False
            self._pause(_WATCH_S, until=self._unwanted)
        self._at_host = self._hosts.enter(self._source.device, self, unwanted=self._unwanted)
        return self._at_host

    def _leave_host(self) -> None:
        if self._at_host:
            self._at_host = False
            self._hosts.leave(self._source.device, self)

    def _connect(self) -> tuple[IngestError | None, float]:
        """Run one connection and watch it: why it ended (None: it was asked to), and how long it was
        online.
        """
        if self._state is StreamState.STALLED:
            self._set_state(StreamState.CONNECTING, self._code, self._reason)
        elif self._state is not StreamState.CONNECTING:
            self._set_state(StreamState.CONNECTING, "starting", "connecting")
        attempt = Attempt(
            self._source,
            self._mailbox,
            fps=self._fps,
            phase=self._phase,
            counters=self.counters,
            gate=None if self._new_gate is None else self._new_gate(),
            watch=self._watch,
            changed=self._wake,
        )
        with self._changed:
            self._attempt = attempt
        attempt.start()
        connecting = True
        try:
            while True:
                with self._changed:
                    news = attempt.ended or (connecting and attempt.stream is not None)
                    if not news and not self._unwanted():
                        self._changed.wait(_WATCH_S)
                if connecting and attempt.stream is not None:
                    connecting = False
                    self._leave_host()
                    with self._changed:
                        self._reconnects += self._was_online
                        self._was_online = True
                self._follow(attempt)
                if attempt.ended:
                    return attempt.error, attempt.online_s
                if self._unwanted():
                    self._end(attempt)
                    return None, attempt.online_s
                if self._hangs(attempt):
                    self._end(attempt)
                    return StreamStalled(f"{self._source.display}: the connection hangs"), attempt.online_s
        finally:
            attempt.abandon()  # also when this thread ends by an error of ours
            self._leave_host()
            with self._changed:
                self._last_good_mono_s = self._last_good_s()
                self._attempt = None

    def _follow(self, attempt: Attempt) -> None:
        """Bring the state in line with what the connection does."""
        if attempt.stream is None or attempt.ended:
            return
        with self._changed:
            changed = self._stream != attempt.stream
            self._stream = attempt.stream
        silent_s = time.monotonic() - (
            attempt.last_good_mono_s or attempt.opened_mono_s or attempt.started_mono_s
        )
        if self._source.kind is not SourceKind.FILE and silent_s >= self._source.stall_s:
            self._set_state(
                StreamState.STALLED, StreamStalled.code, f"no good frame for {self._source.stall_s:g} s"
            )
        elif self._state is not StreamState.ONLINE or changed:
            self._set_state(StreamState.ONLINE, "ok", str(attempt.stream))

    def _hangs(self, attempt: Attempt) -> bool:
        """Whether the connection has outlived every limit that libav was given."""
        now = time.monotonic()
        if self._source.kind is SourceKind.FILE:
            return False
        if attempt.last_packet_mono_s is None:
            limit_s = self._source.open_timeout_s + self._source.stall_s
            return now - attempt.started_mono_s > limit_s + _HANG_GRACE_S
        return now - attempt.last_packet_mono_s > self._source.stall_s + _HANG_GRACE_S

    def _end(self, attempt: Attempt) -> None:
        attempt.abandon()
        if not attempt.wait_ended(_STOP_GRACE_S):
            with self._changed:
                self._hanging.append(attempt)
            logger.warning("%s: the connection hangs and is left to itself", self.camera_id)

    def _report_end(self, ended: IngestError) -> None:
        if isinstance(ended, CredentialsRefused):
            state = StreamState.REFUSED
        elif isinstance(ended, EndOfStream):
            state = StreamState.DISABLED
        elif isinstance(ended, StreamStalled):
            state = StreamState.STALLED
        else:
            state = StreamState.CONNECTING
        self._set_state(state, ended.code, str(ended))

    def _set_state(self, state: StreamState, code: str, reason: str) -> None:
        with self._changed:
            told = (state, code) == (self._state, self._code)
            if state is not self._state:
                self._since = time.time()
            self._state, self._code, self._reason = state, code, reason
        if told:
            return
        level = logging.INFO if state in (StreamState.ONLINE, StreamState.DISABLED) else logging.WARNING
        logger.log(level, "%s: %s (%s)", self.camera_id, state.value, reason)
        try:
            self._on_status(self.camera_id, self.status())
        except Exception:  # logged with its trace: a listener must not cost us the camera
            logger.exception("%s: the status could not be told", self.camera_id)

    def _pause(self, delay_s: float | None, *, until: Callable[[], bool]) -> None:
        """Wait so long (None: for ever), until ``until`` or the stop; alive all the while."""
        end_s = None if delay_s is None else time.monotonic() + delay_s
        with self._changed:
            while not (self._stopping or until()):
                self._beat()
                left_s = _BEAT_S if end_s is None else min(_BEAT_S, end_s - time.monotonic())
                if left_s <= 0:
                    return
                self._changed.wait(left_s)

    def _beat(self) -> None:
        if self._pulse is not None:
            self._pulse.beat()

    def _unwanted(self) -> bool:
        self._beat()
        return self._stopping or not self._enabled

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _last_good_s(self) -> float | None:
        attempt = self._attempt
        if attempt is not None and attempt.last_good_mono_s is not None:
            return attempt.last_good_mono_s
        return self._last_good_mono_s

    def _still_hanging(self) -> list[Attempt]:
        self._hanging = [attempt for attempt in self._hanging if not attempt.ended]
        return self._hanging
