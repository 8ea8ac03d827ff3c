"""Politeness to hosts: recorders and switches with many cameras are not stormed by all of them at once."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Condition
from typing import Final

#: How often a waiting camera looks whether it is still wanted.
_CHECK_S: Final = 0.2


@dataclass(slots=True)
class _Host:
    begun_s: dict[Hashable, float] = field(default_factory=dict)
    free_at_s: float = float("-inf")


class HostBudget:
    """At most ``at_once`` connection attempts to one host in flight, begun at least ``spacing_s`` apart.

    An attempt is in flight until it shows its first frame or fails, and for ``longest_s`` at most: one that gets no
    answer gives its host little to do, and the cameras beside it need not wait until it gives up. Running streams do
    not count; local sources (host None) are not limited. Shared by all cameras; any thread may call.
    """

    def __init__(
        self,
        *,
        at_once: int = 2,
        spacing_s: float = 0.25,
        longest_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if at_once < 1 or spacing_s < 0 or longest_s <= 0:
            raise ValueError(
                f"expected at_once >= 1, spacing_s >= 0 and longest_s > 0, got {at_once}, {spacing_s}, {longest_s}"
            )
        self._at_once = at_once
        self._spacing_s = spacing_s
        self._longest_s = longest_s
        self._clock = clock
        self._changed = Condition()
        self._hosts: dict[str, _Host] = {}

    def try_enter(self, host: str | None, who: Hashable) -> float:
        """Begin an attempt of ``who`` now, or say how many seconds to wait before asking again; 0 means begun.

        Every attempt begun must be ended with ``leave``; ``who`` makes one at a time.
        """
        if host is None:
            return 0.0
        with self._changed:
            entry = self._hosts.setdefault(host, _Host())
            now = self._clock()
            counting = [begun_s for begun_s in entry.begun_s.values() if now - begun_s < self._longest_s]
            if len(counting) >= self._at_once:
                return min(_CHECK_S, min(counting) + self._longest_s - now)
            if now < entry.free_at_s:
                return entry.free_at_s - now
            entry.begun_s[who] = now
            entry.free_at_s = now + self._spacing_s
            return 0.0

    def enter(self, host: str | None, who: Hashable, *, unwanted: Callable[[], bool]) -> bool:
        """Begin an attempt of ``who`` as soon as the budget allows; False when ``unwanted`` says to give up waiting."""
        while not unwanted():
            wait_s = self.try_enter(host, who)
            if not wait_s:
                return True
            with self._changed:
                self._changed.wait(min(wait_s, _CHECK_S))
        return False

    def leave(self, host: str | None, who: Hashable) -> None:
        """The attempt has come to a stream or to an end."""
        if host is None:
            return
        with self._changed:
            entry = self._hosts[host]
            del entry.begun_s[who]
            if not entry.begun_s and self._clock() >= entry.free_at_s:
                del self._hosts[host]  # addresses come and go with reloads
            self._changed.notify_all()
