"""Parts as actors of Ray, each a process of its own on the machine that the head chose."""

import importlib.metadata
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from config import SiteSettings
from streamer.cluster.crew import Ticket
from streamer.cluster.errors import LaneError, PeerError, PeerGoneError
from streamer.cluster.lane import Lanes
from streamer.cluster.parts import PartActor
from streamer.cluster.placement import Kind, Need, Node
from streamer.cluster.ray_start import load_ray
from streamer.cluster.wire import LaneAddress

_log = logging.getLogger(__name__)

#: Calls that one part answers at a time: one that waits for messages must not hold up a frame.
_AT_ONCE: Final = 32
#: What names a machine for cameras: a label (``ray start --labels``) or a resource with the name behind a colon.
NODE_LABEL: Final = "ppewatch-node"


#: Of this process, whichever peers it gets.
_lanes: Final = Lanes()


class RayPeer:
    """A ``Peer`` that is an actor. ``lane``: the shorter way to it, for those on its machine."""

    __slots__ = ("_handle", "_lane")

    def __init__(self, handle: Any, lane: LaneAddress | None = None) -> None:
        self._handle = handle
        self._lane = lane

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RayPeer) and self._handle._actor_id == other._handle._actor_id

    def __hash__(self) -> int:
        return hash(self._handle._actor_id)

    def begin(self, method: str, *args: Any) -> Any:
        """The reference to an answer that is to come. Raises ``PeerError`` when nothing can be sent."""
        try:
            return getattr(self._handle, method).remote(*args)
        except load_ray().exceptions.RayError as error:
            raise PeerError(_reason(error)) from error

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """See ``Peer``."""
        lane = None if self._lane is None else _lanes.to(self._lane)
        if lane is not None and lane.carries(method):
            try:
                return lane.call(method, args, timeout_s)
            except LaneError as error:
                # whether the part is gone Ray knows
                _log.debug("%s goes the long way: %s", method, error)
        return answer_of(self.begin(method, *args), timeout_s)


class RayTicket:
    """A ``Ticket``: the reference to an answer."""

    __slots__ = ("ref",)

    def __init__(self, ref: Any) -> None:
        self.ref = ref

    def result(self) -> Any:
        """See ``Ticket``."""
        return answer_of(self.ref, 0.0)


class RayMember:
    """A ``Member``: an actor, and the right to end it."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.peer = RayPeer(handle)

    def found(self, lane: LaneAddress | None) -> None:
        """See ``Member``."""
        self.peer = RayPeer(self._handle, lane)

    def begin(self, method: str, *args: Any) -> RayTicket:
        """See ``Member``."""
        return RayTicket(self.peer.begin(method, *args))

    def kill(self) -> None:
        """See ``Member``."""
        load_ray().kill(self._handle, no_restart=True)


class RayCrew:
    """A ``Crew`` on the cluster that ``ray`` is connected to.

    ``needs``: what one part of a kind takes; ``threads``: those of the networks of an inference part.
    """

    def __init__(self, ray: Any, *, needs: Mapping[Kind, Need], threads: int | None) -> None:
        self._ray = ray
        self._needs = needs
        self._threads = threads
        self._class = ray.remote(PartActor)

    def nodes(self) -> list[Node]:
        """See ``Crew``."""
        return [
            Node(
                node_id=node["NodeID"],
                cores=float(node["Resources"].get("CPU", 0.0)),
                gpus=float(node["Resources"].get("GPU", 0.0)),
                name=_name_of(node),
            )
            for node in self._ray.nodes()
            if node["Alive"]
        ]

    def start(self, kind: Kind, node_id: str, site: SiteSettings) -> RayMember:
        """See ``Crew``."""
        from ray.util.scheduling_strategies import (  # noqa: PLC0415 - Ray, which one machine never loads
            NodeAffinitySchedulingStrategy,
        )

        need = self._needs[kind]
        options = self._class.options(
            num_cpus=need.cores,
            num_gpus=need.gpus,
            max_concurrency=_AT_ONCE,
            # what a part was doing is lost with it: another takes over, which the head decides
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
        )
        level = logging.getLogger().getEffectiveLevel()
        version = importlib.metadata.version("ppewatch")
        return RayMember(options.remote(kind, site, self._threads, level, version))

    def done(self, tickets: Collection[Ticket], timeout_s: float) -> Sequence[Ticket]:
        """See ``Crew``."""
        by_ref = {ticket.ref: ticket for ticket in tickets if isinstance(ticket, RayTicket)}
        ready, _ = self._ray.wait(list(by_ref), num_returns=len(by_ref), timeout=0.0, fetch_local=False)
        if not ready:
            ready, _ = self._ray.wait(list(by_ref), num_returns=1, timeout=timeout_s)
        return [by_ref[ref] for ref in ready]

    def close(self) -> None:
        """See ``Crew``."""
        self._ray.shutdown()


def answer_of(ref: Any, timeout_s: float) -> Any:
    """The answer behind a reference. Raises as ``Peer.call`` does."""
    ray = load_ray()
    errors = ray.exceptions
    try:
        return ray.get(ref, timeout=timeout_s)
    except errors.ActorUnavailableError as error:
        raise PeerError("the connection to it broke") from error
    except errors.RayActorError as error:
        raise PeerGoneError(_reason(error)) from error
    except errors.GetTimeoutError as error:
        raise PeerError(f"no answer in {timeout_s:g} s") from error
    except errors.RayTaskError as error:
        raise PeerError(f"it failed: {error.cause!r}") from error
    except errors.RayError as error:
        raise PeerError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The cause in one line: what Ray says goes over many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:160] or type(error).__name__


def _name_of(node: Mapping[str, Any]) -> str | None:
    label = (node.get("Labels") or {}).get(NODE_LABEL)
    if label:
        return str(label)
    prefix = f"{NODE_LABEL}:"
    return next((name.removeprefix(prefix) for name in node["Resources"] if name.startswith(prefix)), None)
