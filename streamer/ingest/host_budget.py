"""Politeness to hosts: recorders and switches with many cameras are not stormed by all of them at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import Final

#: How often a waiting camera looks whether it is still wanted.
_CHECK_S: Final = 0.2


@dataclass(slots=True)
class _Host:
    connecting: int = 0
    free_at_s: float = float("-inf")


class HostBudget:
    """At most ``at_once`` connection attempts to one host in flight, begun at least ``spacing_s`` apart.

    An attempt is in flight until it shows its first frame or fails; running streams do not count. Local
    sources (host None) are not limited. Shared by all cameras; any thread may call.
    """

    def __init__(
        self,
        *,
        at_once: int = 2,
        spacing_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if at_once < 1 or spacing_s < 0:
            raise ValueError(f"expected at_once >= 1 and spacing_s >= 0, got {at_once} and {spacing_s}")
        self._at_once = at_once
        self._spacing_s = spacing_s
        self._clock = clock
        self._changed = Condition()
        self._hosts: dict[str, _Host] = {}

    def try_enter(self, host: str | None) -> float:
        """Begin an attempt now, or say how many seconds to wait before asking again; 0 means begun.

        Every attempt begun must be ended with ``leave``.
        """
        if host is None:
            return 0.0
        with self._changed:
            entry = self._hosts.setdefault(host, _Host())
            now = self._clock()
            if entry.connecting >= self._at_once:
                return _CHECK_S
            if now < entry.free_at_s:
                return entry.free_at_s - now
            entry.connecting += 1
            entry.free_at_s = now + self._spacing_s
            return 0.0

    def enter(self, host: str | None, *, unwanted: Callable[[], bool]) -> bool:
        """Begin an attempt as soon as the budget allows; False when ``unwanted`` says to give up waiting."""
        while not unwanted():
            wait_s = self.try_enter(host)
            if not wait_s:
                return True
            with self._changed:
                self._changed.wait(min(wait_s, _CHECK_S))
        return False

    def leave(self, host: str | None) -> None:
        """The attempt has come to a stream or to an end."""
        if host is None:
            return
        with self._changed:
            self._hosts[host].connecting -= 1
            self._changed.notify_all()
