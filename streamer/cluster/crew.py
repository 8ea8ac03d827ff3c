"""What the head needs of whatever runs the parts: to start them, to ask them, and to end them."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from config import SiteSettings
from streamer.cluster.peer import Peer
from streamer.cluster.placement import Kind, Node
from streamer.cluster.wire import LaneAddress


class Ticket(Protocol):
    """A call whose answer is not awaited yet."""

    def result(self) -> Any:
        """The answer of a ticket that ``Crew.done`` gave. Raises ``PeerError`` as ``Peer.call`` does."""
        ...


class Member(Protocol):
    """One part that was started; it may still be on its way."""

    @property
    def peer(self) -> Peer:
        """How other parts call it."""
        ...

    def found(self, lane: LaneAddress | None) -> None:
        """It said where its machine calls it best: ``peer`` tells others so from now on."""
        ...

    def begin(self, method: str, *args: Any) -> Ticket:
        """Call it, and return at once."""
        ...

    def kill(self) -> None:
        """End it, whatever it does; returns at once."""
        ...


class Crew(Protocol):
    """Runs parts on machines. One thread at a time."""

    def nodes(self) -> list[Node]:
        """The machines that are there, as far as is known."""
        ...

    def start(self, kind: Kind, node_id: str, site: SiteSettings) -> Member:
        """Start a part; returns at once."""
        ...

    def done(self, tickets: Collection[Ticket], timeout_s: float) -> Sequence[Ticket]:
        """Those of ``tickets`` that have an answer, once one has, or after ``timeout_s``."""
        ...

    def close(self) -> None:
        """Let the machines go; parts that still run end."""
        ...
