"""The cores of a node, shared by all that runs on them.

Two kinds. ``SharedCores`` is exact: threads that are more than cores go on equally fast, each by its share (processor
sharing, as a fair scheduler of the kernel does it over some milliseconds). ``ManyCores`` is for large nodes with
thousands of frames a second, where single frames are not followed: a job waits as long as the formula of Allen and
Cunneen for queues with several servers says (Probability, Statistics and Queueing Theory, 1990, 5.3) for the load
that was announced.
"""

import heapq
import math
import random
from collections.abc import Callable
from typing import Protocol

from streamer.capacity.simulation.agenda import Agenda


class Cores(Protocol):
    """Where work is done."""

    def run(self, work_s: float, threads: float, done: Callable[[], None]) -> None:
        """Do ``work_s`` seconds of processor time in so many threads at once, then call ``done``."""
        ...

    def busy_s(self) -> float:
        """Processor time that was used so far."""
        ...

    @property
    def served_share(self) -> float:
        """Share of the work that is done at all; below 1 frames are lost before they are decoded."""
        ...


class SharedCores:
    """``count`` cores under processor sharing.

    Every thread goes on at one speed, 1 or less, so a job ends when the progress of a thread since its beginning is
    its work by its threads: jobs end in the order of that mark, whatever comes between.
    """

    def __init__(self, agenda: Agenda, count: int) -> None:
        self._agenda = agenda
        self._count = count
        self._threads = 0.0
        self._progress_s = 0.0
        self._speed = 1.0
        self._since_s = agenda.now_s
        self._jobs: list[tuple[float, int, float, Callable[[], None]]] = []
        self._rivals = 0.0
        self._number = 0
        self._version = 0
        self._busy_s = 0.0

    def run(self, work_s: float, threads: float, done: Callable[[], None]) -> None:
        """See ``Cores``."""
        self._advance()
        self._number += 1
        heapq.heappush(self._jobs, (self._progress_s + work_s / threads, self._number, threads, done))
        self._threads += threads
        self._plan()

    def busy_s(self) -> float:
        """See ``Cores``."""
        self._advance()
        return self._busy_s

    def set_rivals(self, threads: float) -> None:
        """From now on so many threads of others want these cores all the time."""
        self._advance()
        self._rivals = threads
        self._plan()

    @property
    def served_share(self) -> float:
        """See ``Cores``: what is too much waits."""
        return 1.0

    def _advance(self) -> None:
        passed_s = self._agenda.now_s - self._since_s
        if passed_s > 0:
            self._progress_s += passed_s * self._speed
            self._busy_s += passed_s * self._speed * self._threads
        self._since_s = self._agenda.now_s

    def _plan(self) -> None:
        """Ask to be called when the next job ends; what was asked for before is void."""
        self._version += 1
        if not self._jobs:
            self._threads = 0.0
            return
        self._speed = min(1.0, self._count / (self._threads + self._rivals))
        version = self._version
        left_s = max(0.0, self._jobs[0][0] - self._progress_s) / self._speed
        self._agenda.after(left_s, lambda: self._end(version))

    def _end(self, version: int) -> None:
        if version != self._version:
            return
        self._advance()
        mark_s, _, threads, done = heapq.heappop(self._jobs)
        self._progress_s = max(self._progress_s, mark_s)
        self._threads -= threads
        self._plan()
        done()


class ManyCores:
    """``count`` cores on which single frames are not followed; ``announce`` says what else they do."""

    def __init__(self, agenda: Agenda, count: int, rng: random.Random) -> None:
        self._agenda = agenda
        self._count = count
        self._rng = rng
        self._announced = 0.0
        self._waits = 0.0
        self._speed = 1.0
        self._job_s = 0.0
        self._from_s = agenda.now_s
        self._busy_s = 0.0

    def announce(self, cores_wanted: float, job_s: float) -> None:
        """From now on so many cores' worth of jobs of ``job_s`` each are asked for, those of ``run`` among them."""
        self._busy_s = self.busy_s()
        self._from_s = self._agenda.now_s
        self._announced, self._job_s = cores_wanted, job_s
        self._waits = waiting_probability(self._count, min(cores_wanted, 0.999 * self._count))
        self._speed = min(1.0, self._count / cores_wanted) if cores_wanted > 0 else 1.0

    @property
    def served_share(self) -> float:
        """See ``Cores``."""
        return self._speed

    def run(self, work_s: float, threads: float, done: Callable[[], None]) -> None:
        """See ``Cores``."""
        wait_s = 0.0
        if self._waits and self._rng.random() < self._waits:
            # exponential, for jobs that come as they like and take about equally long: half of what it would be for
            # jobs of any length
            free = max(0.001, 1.0 - self._announced / self._count)
            wait_s = self._rng.expovariate(1.0) * self._job_s / (self._count * free) / 2
        self._agenda.after(wait_s + work_s / threads / self._speed, done)

    def busy_s(self) -> float:
        """See ``Cores``."""
        return self._busy_s + (self._agenda.now_s - self._from_s) * min(self._announced, float(self._count))


def waiting_probability(servers: int, load: float) -> float:
    """Erlang's C: how likely a job finds all ``servers`` busy under ``load`` (in servers, less than they are)."""
    if load <= 0:
        return 0.0
    # in logarithms: a hundred servers overflow a float
    terms = [count * math.log(load) - math.lgamma(count + 1) for count in range(servers)]
    last = servers * math.log(load) - math.lgamma(servers + 1) - math.log1p(-load / servers)
    top = max(last, *terms) if terms else last
    return math.exp(last - top) / (math.exp(last - top) + sum(math.exp(term - top) for term in terms))
