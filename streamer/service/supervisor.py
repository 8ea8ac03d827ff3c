"""Feeds the service manager's watchdog as long as every stage is alive, and says which one is not."""

import logging
import sys
import traceback
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from streamer.service.heartbeats import Heartbeats, StageAge
from streamer.service.sd_notify import ServiceNotifier

_log = logging.getLogger(__name__)

#: How often the stages are looked at when no watchdog asks for more.
_LOOK_EVERY_S: Final = 1.0


class Supervisor:
    """A thread of its own that looks at the stages and feeds the watchdog.

    - ``watchdog_s``: what ``watchdog_interval_s`` says. It is fed at half of that, as sd_watchdog_enabled(3)
      advises, and only while no stage is late; the manager then ends and restarts a service that is stuck.
      None: never fed.
    - ``redact`` takes secrets out of what is logged.

    When a stage becomes late its name and the Python stack of its thread (source lines, no values) are
    logged, once until it beats again.
    """

    def __init__(
        self,
        heartbeats: Heartbeats,
        *,
        notifier: ServiceNotifier,
        watchdog_s: float | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._heartbeats = heartbeats
        self._notifier = notifier
        self._watchdog_s = watchdog_s
        self._redact = redact
        self._reported: set[str] = set()
        self._stop = Event()
        half_s = _LOOK_EVERY_S if watchdog_s is None else watchdog_s / 2
        self._every_s = min(_LOOK_EVERY_S, half_s)
        self._thread = Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to look at the stages."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop looking and feeding. What is left of stopping must fit into the manager's own timeout."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def look(self) -> list[StageAge]:
        """Look once: report stages that became late, feed the watchdog if none is. Returns the late ones."""
        late = self._heartbeats.late()
        names = {stage.name for stage in late}
        for stage in late:
            if stage.name not in self._reported:
                self._report(stage)
        for name in sorted(self._reported - names):
            _log.warning("stage %s is alive again", name)
        self._reported = names
        if not late and self._watchdog_s is not None:
            self._notifier.watchdog()
        return late

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(self._every_s)

    def _report(self, stage: StageAge) -> None:
        _log.error(
            "stage %s has given no sign of life for %.1f s (limit %.0f s)%s\n%s",
            stage.name,
            stage.age_s,
            stage.limit_s,
            "" if self._watchdog_s is None else "; the watchdog is not fed",
            self._redact(stack_of(stage.thread_id)),
        )


def stack_of(thread_id: int | None) -> str:
    """Where the thread is now: files, lines and source text, without the values of variables."""
    frame = None if thread_id is None else sys._current_frames().get(thread_id)
    if frame is None:
        return "(its thread is not running)"
    return "".join(traceback.format_stack(frame)).rstrip()
