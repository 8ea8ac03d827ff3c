"""Looks at every stage, has those mended that can be, and feeds the service manager's watchdog while all are alive."""

import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import Final

from streamer.service.heartbeats import Heartbeats, StageAge
from streamer.service.last_guard import LastGuard
from streamer.service.sd_notify import ServiceNotifier
from streamer.service.stage_health import GivenUp, Mend, StageHealth, StageReason, StageState

_log = logging.getLogger(__name__)

#: How often the stages are looked at when no watchdog asks for more.
_LOOK_EVERY_S: Final = 1.0

#: A stage that is late gets so much longer before another takes its place: a disk or a machine may come back.
GRACE_S: Final = 5.0

#: Putting another in its place may take this long.
_MENDING_S: Final = 15.0

#: More often than that within the window: what is wrong is not the stage.
_MOST_RESTARTS: Final = 3
_RESTARTS_WITHIN_S: Final = 600.0


@dataclass(slots=True)
class _Case:
    """One stage's history."""

    health: StageHealth
    restarts_s: deque[float] = field(default_factory=deque)
    mending: Thread | None = None
    mending_since_s: float = 0.0
    mended: bool = False
    unmended: GivenUp | None = None


class Supervisor:
    """A thread of its own that looks at the stages and feeds the watchdog.

    - ``watchdog_s``: what ``watchdog_interval_s`` says. It is fed at half of that, as sd_watchdog_enabled(3)
      advises, and only while every stage beats. None: never fed.
    - ``mend``: see ``Mend``; asked at once for a stage whose thread ended, ``GRACE_S`` after it was found for one that
      is late. None: nothing is mended, and nothing given up.
    - ``on_given_up``: called once, when a stage cannot be mended; must return soon.
    - ``on_look``: called after each look with the state of every stage; must return soon.
    - ``redact`` takes secrets out of what is logged.
    - ``guard``: ends the process when this thread itself hangs; None: nobody does.

    When a stage becomes late its name and the Python stack of its thread (source lines, no values) are logged, once
    until it beats again. Time in which this thread could not look either counts for no stage.
    """

    def __init__(
        self,
        heartbeats: Heartbeats,
        *,
        notifier: ServiceNotifier,
        watchdog_s: float | None = None,
        mend: Mend | None = None,
        on_given_up: Callable[[GivenUp], None] = lambda _given_up: None,
        on_look: Callable[[list[StageHealth]], None] = lambda _stages: None,
        redact: Callable[[str], str] = str,
        guard: LastGuard | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._heartbeats = heartbeats
        self._notifier = notifier
        self._watchdog_s = watchdog_s
        self._mend = mend
        self._on_given_up = on_given_up
        self._on_look = on_look
        self._redact = redact
        self._guard = guard
        self._clock = clock
        self._wall_clock = wall_clock
        self._cases: dict[str, _Case] = {}
        self._looked_s: float | None = None
        self._given_up: GivenUp | None = None
        self._stop = Event()
        self._standing_down = Event()
        half_s = _LOOK_EVERY_S if watchdog_s is None else watchdog_s / 2
        self._every_s = min(_LOOK_EVERY_S, half_s)
        self._thread = Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to look at the stages."""
        self._thread.start()

    def stand_down(self) -> None:
        """The stages end by intent from now on: feed the watchdog, whatever they do."""
        self._standing_down.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop looking and feeding. What is left of stopping must fit into the manager's own timeout."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def look(self) -> list[StageHealth]:
        """Look once: report, mend, give up, and feed the watchdog if every stage beats. Returns every stage's state."""
        self._forgive_standstill()
        if self._standing_down.is_set():
            self._feed()
            return []
        ages = self._heartbeats.ages()
        names = {age.name for age in ages}
        self._cases = {name: case for name, case in self._cases.items() if name in names}
        for age in ages:
            case = self._cases.get(age.name)
            if case is None:
                case = _Case(StageHealth(name=age.name, since=self._wall_clock()))
                self._cases[age.name] = case
            self._examine(age, case)
        stages = [case.health for case in self._cases.values()]
        if self._given_up is None and all(stage.state is StageState.BEATING for stage in stages):
            self._feed()
        self._on_look(stages)
        return stages

    def _run(self) -> None:
        with _guarded(self._guard) as guard:
            while not self._stop.is_set():
                if guard is not None:
                    guard.renew()
                try:
                    self.look()
                except Exception:  # noqa: BLE001 - who looks after the others must go on
                    _log.exception("the stages could not be looked at")
                self._stop.wait(self._every_s)

    def _forgive_standstill(self) -> None:
        now_s = self._clock()
        if (
            self._looked_s is not None
            and (lost_s := now_s - self._looked_s - self._every_s) > self._every_s / 2
        ):
            self._heartbeats.forgive(lost_s)
        self._looked_s = now_s

    def _feed(self) -> None:
        if self._watchdog_s is not None:
            self._notifier.watchdog()

    def _examine(self, age: StageAge, case: _Case) -> None:
        if case.mending is not None:
            self._follow_mending(age, case)
        elif age.dead:
            if case.health.reason is not StageReason.DIED:
                _log.error("stage %s: its thread has ended", age.name)
            if case.health.state is not StageState.FAILED:
                self._begin_mending(case, StageReason.DIED, "its thread has ended")
        elif age.late:
            if case.health.state is StageState.BEATING:
                self._report(age, case)
            if case.health.state is StageState.LATE and age.age_s > age.limit_s + GRACE_S:
                self._begin_mending(case, StageReason.HANGS, case.health.detail)
        elif case.health.state is not StageState.BEATING and self._given_up is None:
            _log.warning("stage %s is alive again", age.name)
            self._set(case, StageState.BEATING, StageReason.NONE, "")

    def _begin_mending(self, case: _Case, reason: StageReason, detail: str) -> None:
        if self._mend is None or self._given_up is not None:
            self._set(case, StageState.LATE, reason, detail)
            return
        now_s = self._clock()
        while case.restarts_s and case.restarts_s[0] < now_s - _RESTARTS_WITHIN_S:
            case.restarts_s.popleft()
        if len(case.restarts_s) >= _MOST_RESTARTS:
            self._give_up(case, StageReason.KEEPS_FAILING, f"{detail}, after {_MOST_RESTARTS} restarts")
            return
        case.restarts_s.append(now_s)
        case.health = replace(case.health, restarts=case.health.restarts + 1)
        self._set(case, StageState.RESTARTING, reason, detail)
        case.mended, case.unmended, case.mending_since_s = False, None, now_s
        case.mending = Thread(
            target=_mend, args=(self._mend, case, reason), name=f"mend-{case.health.name}", daemon=True
        )
        case.mending.start()
        # most are done in a moment, and nobody need wait for the next look then
        case.mending.join(self._every_s / 4)

    def _follow_mending(self, age: StageAge, case: _Case) -> None:
        if case.mended:
            case.mending = None
            self._heartbeats.renew(age.name)
            _log.warning("stage %s was restarted", age.name)
            self._set(case, StageState.BEATING, StageReason.NONE, "")
        elif case.unmended is not None:
            case.mending = None
            self._give_up(case, case.unmended.reason, case.unmended.detail)
        elif self._clock() - case.mending_since_s > _MENDING_S:
            case.mending = None
            self._give_up(case, case.health.reason, f"{case.health.detail}; to restart it hangs, too")

    def _give_up(self, case: _Case, reason: StageReason, detail: str) -> None:
        self._set(case, StageState.FAILED, reason, detail)
        if self._given_up is None:
            self._given_up = GivenUp(case.health.name, reason, detail)
            self._on_given_up(self._given_up)

    def _set(self, case: _Case, state: StageState, reason: StageReason, detail: str) -> None:
        since = case.health.since if state is case.health.state else self._wall_clock()
        case.health = replace(case.health, state=state, reason=reason, detail=detail, since=since)

    def _report(self, stage: StageAge, case: _Case) -> None:
        detail = f"no sign of life for {stage.age_s:.1f} s (limit {stage.limit_s:.0f} s)"
        self._set(case, StageState.LATE, StageReason.HANGS, detail)
        _log.error("stage %s: %s\n%s", stage.name, detail, self._redact(stack_of(stage.thread_id)))


@contextmanager
def _guarded(guard: LastGuard | None) -> Iterator[LastGuard | None]:
    try:
        yield guard
    finally:
        if guard is not None:
            guard.release()


def _mend(mend: Mend, case: _Case, reason: StageReason) -> None:
    health = case.health
    try:
        case.unmended = mend(health.name, reason)
    except Exception:  # noqa: BLE001 - what cannot be mended ends the process, with this in the log
        _log.exception("stage %s could not be restarted", health.name)
        case.unmended = GivenUp(health.name, reason, f"{health.detail}; it could not be restarted")
    case.mended = case.unmended is None


def stack_of(thread_id: int | None) -> str:
    """Where the thread is now: files, lines and source text, without the values of variables."""
    frame = None if thread_id is None else sys._current_frames().get(thread_id)
    if frame is None:
        return "(its thread is not running)"
    return "".join(traceback.format_stack(frame)).rstrip()
