"""The parts of a site as the head knows them: who was heard of when, and what each was last told."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any, Final

from config import SiteSettings
from streamer.cluster.crew import Member, Ticket
from streamer.cluster.placement import Kind, Seat
from streamer.cluster.wire import Orders

#: A part that is told nothing new is asked this often how it stands; one of the rules waits so long for a message.
ASK_EVERY_S: Final = 0.5
#: Calls to one part that may be under way: one that waits for messages, and one with orders.
MOST_CALLS: Final = 2


@dataclass(slots=True, eq=False)
class Call:
    """An exchange under way: what it tells, and since when."""

    ticket: Ticket
    begun_s: float
    orders: Orders | None
    site: SiteSettings | None


@dataclass(slots=True, eq=False)
class Part:
    """One part. ``heard_s`` is None until its first answer."""

    part_id: str
    kind: Kind
    node_id: str
    member: Member
    started_s: float
    heard_s: float | None = None
    is_ready: bool = False
    pid: int | None = None
    calls: list[Call] = field(default_factory=list)
    asked_s: float = 0.0
    told: Orders | None = None
    told_site: SiteSettings | None = None
    #: cameras that it has taken in, which need no state any more
    known: set[str] = field(default_factory=set)
    last_alert: int = 0
    failing_since_s: float | None = None

    @property
    def seat(self) -> Seat:
        """For the placement."""
        return Seat(self.part_id, self.kind, self.node_id, self.is_ready)

    def silent_s(self, now_s: float) -> float:
        """How long it has not been heard of, from its start on."""
        return now_s - (self.started_s if self.heard_s is None else self.heard_s)

    def may_ask(self, now_s: float) -> bool:
        """Whether it is to be asked how it stands: while it takes in cameras too, which may take long."""
        if self.heard_s is None or self.kind is Kind.RULES:
            return not self.calls
        return now_s - self.asked_s >= ASK_EVERY_S and len(self.calls) < MOST_CALLS

    def begin(self, orders: Orders | None, site: SiteSettings | None, *more: Any) -> None:
        """Ask it, with ``orders`` where there are new ones."""
        self.asked_s = time.monotonic()
        ticket = self.member.begin("exchange", orders, *more)
        self.calls.append(Call(ticket, self.asked_s, orders, site))


class PartNames:
    """Names of parts, which are never used twice."""

    def __init__(self) -> None:
        self._numbers = {kind: itertools.count(1) for kind in Kind}

    def next(self, kind: Kind) -> str:
        """Such as ``ingest-3``."""
        return f"{kind}-{next(self._numbers[kind])}"
