"""Signs of life of every stage: the pulse that a thread holds, and the book in which all of them are kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread, current_thread
from typing import Final

#: A stage without a sign of life for this long counts as late, unless it said otherwise. Looked at once a second, it is
#: found within ten.
DEFAULT_LIMIT_S: Final = 8.0


@dataclass(frozen=True, slots=True)
class StageAge:
    """A stage's last sign of life: ``age_s`` seconds ago, of ``limit_s`` allowed, in thread ``thread`` (None: none
    yet).
    """

    name: str
    age_s: float
    limit_s: float
    thread: Thread | None

    @property
    def late(self) -> bool:
        """Whether the stage is overdue."""
        return self.age_s > self.limit_s

    @property
    def dead(self) -> bool:
        """Whether the thread that gave the last sign of life has ended."""
        return self.thread is not None and not self.thread.is_alive()

    @property
    def thread_id(self) -> int | None:
        """The thread's identifier, as ``sys._current_frames`` has it."""
        return None if self.thread is None else self.thread.ident


class Pulse:
    """One stage's side of the book. Made by ``Heartbeats.add``."""

    def __init__(self, name: str, limit_s: float, clock: Callable[[], float]) -> None:
        self.name = name
        self._limit_s = limit_s
        self._clock = clock
        self._lock = Lock()
        self._allowed_s = limit_s
        self._beat_s = clock()
        self._thread: Thread | None = None

    def beat(self) -> None:
        """The stage, whose thread is calling, is alive; the next sign is due within the stage's limit."""
        self._mark(self._limit_s)

    def allow(self, seconds: float) -> None:
        """Alive, but the next sign may take ``seconds``, if that is longer: something long begins."""
        self._mark(max(seconds, self._limit_s))

    def forgive(self, seconds: float) -> None:
        """So much of the present silence does not count: the whole process stood still."""
        with self._lock:
            self._beat_s = min(self._beat_s + seconds, self._clock())

    def renew(self) -> None:
        """Begin anew, with a thread that has yet to give its first sign."""
        with self._lock:
            self._beat_s, self._allowed_s, self._thread = self._clock(), self._limit_s, None

    def age(self) -> StageAge:
        """The stage's state now."""
        with self._lock:
            return StageAge(self.name, self._clock() - self._beat_s, self._allowed_s, self._thread)

    def _mark(self, allowed_s: float) -> None:
        thread = current_thread()
        with self._lock:
            self._beat_s = self._clock()
            self._allowed_s = allowed_s
            self._thread = thread


class Heartbeats:
    """The stages that must be alive. Stages come and go with cameras; any thread may call any method."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._pulses: dict[str, Pulse] = {}

    def add(self, name: str, *, limit_s: float = DEFAULT_LIMIT_S) -> Pulse:
        """Watch a stage from now on; an older one of the same name is replaced.

        Raises ``ValueError`` unless ``limit_s`` is above 0.
        """
        if limit_s <= 0:
            raise ValueError(f"limit_s must be above 0, got {limit_s}")
        pulse = Pulse(name, limit_s, self._clock)
        with self._lock:
            self._pulses[name] = pulse
        return pulse

    def remove(self, pulse: Pulse) -> None:
        """Watch a stage no longer: it ends by intent. One that was replaced meanwhile stays."""
        with self._lock:
            if self._pulses.get(pulse.name) is pulse:
                del self._pulses[pulse.name]

    def ages(self) -> list[StageAge]:
        """Every stage's state, in the order in which they were added."""
        return [pulse.age() for pulse in self._present()]

    def late(self) -> list[StageAge]:
        """The stages that are overdue."""
        return [age for age in self.ages() if age.late]

    def forgive(self, seconds: float) -> None:
        """The process stood still for so long (stopped, or its machine was): no stage could give a sign of life."""
        for pulse in self._present():
            pulse.forgive(seconds)

    def renew(self, name: str) -> None:
        """Another thread gives a stage's signs of life from now on: forget what is known of the one before."""
        with self._lock:
            pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.renew()

    def _present(self) -> list[Pulse]:
        with self._lock:
            return list(self._pulses.values())
