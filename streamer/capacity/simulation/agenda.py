"""Simulated time: what happens next, and when."""

import heapq
from collections.abc import Callable


class Agenda:
    """Actions in the order of their time; those of one moment in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.done = 0
        self._count = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Do ``action`` at ``when_s``, or now where that has passed."""
        self._count += 1
        heapq.heappush(self._heap, (when_s, self._count, action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do ``action`` in ``delay_s``."""
        self.at(self.now_s + delay_s, action)

    def run(self, until_s: float) -> None:
        """Let time pass."""
        heap = self._heap
        while heap and heap[0][0] <= until_s:
            when_s, _, action = heapq.heappop(heap)
            self.now_s = max(self.now_s, when_s)
            self.done += 1
            action()
        self.now_s = until_s
