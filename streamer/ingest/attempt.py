"""One connection in a decoder thread of its own, watched from outside."""

import logging
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from streamer.frame import Frame
from streamer.ingest.connection import run_connection
from streamer.ingest.counters import StreamCounters, StreamFormat
from streamer.ingest.errors import IngestError
from streamer.ingest.mailbox import Mailbox
from streamer.ingest.session import LookGate, Session, StreamWatch
from streamer.ingest.source import Source
from streamer.ingest.status import RateMeter

logger = logging.getLogger(__name__)

#: What libav had read to find out the format comes as one burst when a stream opens: no measure of its rate.
_BURST_S: Final = 1.0


class Attempt:
    """Runs one connection in a thread and keeps what its watcher needs; a ``ConnectionSink``.

    libav cannot be interrupted from outside everywhere: a name server that does not answer, a webcam's
    driver or a network drive hold the thread until they return. Such a thread is abandoned: it gives no
    more frames, ends at its own time limit, and being a daemon does not hold up the end of the process.

    ``changed`` is called, from the thread, when the stream has opened and when the connection has ended.
    """

    def __init__(
        self,
        source: Source,
        mailbox: Mailbox,
        *,
        fps: float | None,
        phase: float,
        counters: StreamCounters,
        gate: LookGate | None,
        watch: StreamWatch | None = None,
        changed: Callable[[], None],
    ) -> None:
        self.stream: StreamFormat | None = None
        self.opened_mono_s: float | None = None
        self.last_packet_mono_s: float | None = None
        self.last_good_mono_s: float | None = None
        self.error: IngestError | None = None
        self.started_mono_s = time.monotonic()
        self._rate = RateMeter()
        self._source = source
        self._mailbox = mailbox
        self._changed = changed
        self._ended = Event()
        self._session = Session(
            camera_id=mailbox.camera_id,
            sink=self,
            fps=fps,
            phase=phase,
            gate=gate,
            watch=watch,
            slot=mailbox,
            counters=counters,
        )
        self._thread = Thread(target=self._run, name=f"decode-{mailbox.camera_id}", daemon=True)

    def start(self) -> None:
        """Connect."""
        self._thread.start()

    def abandon(self) -> None:
        """Ask the connection to end; whatever it still gives is thrown away."""
        self._session.stop.set()

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait for the connection's end and the release of its socket; whether it has come."""
        if not self._ended.wait(timeout_s):
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        """Whether the connection is over and ``error`` says why."""
        return self._ended.is_set()

    @property
    def online_s(self) -> float:
        """For how long the stream has been, or was, open."""
        if self.opened_mono_s is None:
            return 0.0
        return (self.last_good_mono_s or self.opened_mono_s) - self.opened_mono_s

    def fps(self, now_mono_s: float) -> float:
        """Frames per second that come; the declared rate until it can be measured, 0 before the first
        frame.
        """
        if self.stream is None or self.opened_mono_s is None:
            return 0.0
        declared_fps = self.stream.fps or 0.0
        # three intervals hold the two frames after the burst that a rate is measured by
        if now_mono_s - self.opened_mono_s < max(2 * _BURST_S, 3 / declared_fps if declared_fps else 0.0):
            return declared_fps
        return self._rate.rate(now_mono_s)

    def opened(self, stream: StreamFormat) -> None:
        """See ``ConnectionSink``."""
        self.stream = stream
        if self.opened_mono_s is None:
            self.opened_mono_s = time.monotonic()
        self._changed()

    def progressed(self, received_mono_s: float, good_frames: int, left_out: int = 0) -> None:
        """See ``ConnectionSink``."""
        self.last_packet_mono_s = received_mono_s
        if self.opened_mono_s is not None and received_mono_s - self.opened_mono_s > _BURST_S:
            for _ in range(good_frames + left_out):
                self._rate.add(received_mono_s)
        if good_frames:
            self.last_good_mono_s = received_mono_s

    def frame(self, frame: Frame) -> None:
        """See ``ConnectionSink``."""
        if not self._session.stop.is_set():
            self._mailbox.put(frame)

    def _run(self) -> None:
        try:
            self.error = run_connection(self._source, self._session)
        except Exception:  # logged with its trace: a camera must not end without a word
            logger.exception("%s: the connection failed in a way that it should not", self._mailbox.camera_id)
            self.error = IngestError(f"{self._source.display}: internal error, see the log")
        finally:
            self._ended.set()
            self._changed()
