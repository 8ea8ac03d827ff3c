"""What every part is to do: told as a whole, from whose each camera is, so that a lost answer costs nothing."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from config import SiteSettings
from rules import SuppressionArea
from streamer.cluster.peer import Peer
from streamer.cluster.placement import Assignment, Kind
from streamer.cluster.roster import Part
from streamer.cluster.wire import InferenceOrder, IngestOrder, Orders, RulesOrder


class OrderBook:
    """The settings of each camera that orders tell. One thread at a time.

    ``areas_of`` gives the suppression areas of a camera, ``wants_looks`` says whether the head wants its looks.
    """

    def __init__(
        self,
        site: SiteSettings,
        areas_of: Callable[[str], Iterable[SuppressionArea]],
        wants_looks: Callable[[str], bool],
    ) -> None:
        self._areas_of = areas_of
        self._wants_looks = wants_looks
        self._areas: dict[str, tuple[SuppressionArea, ...]] = {}
        self._revisions: dict[str, int] = {}
        self._enabled: dict[str, bool] = {}
        self._numbers: dict[str, int] = {}
        self._states: dict[str, Mapping[str, Any]] = {}
        self._next_number = itertools.count()
        self._next_orders = itertools.count(1)
        self.reload(site, list(site.cameras))

    def reload(self, site: SiteSettings, changed: Sequence[str]) -> None:
        """Other settings: cameras that ``changed`` start anew, and end their episodes."""
        for camera_id in self._revisions.keys() - site.cameras.keys():
            for book in (self._areas, self._revisions, self._enabled, self._numbers, self._states):
                book.pop(camera_id, None)
        for camera_id in changed:
            self._revisions[camera_id] = self._revisions.get(camera_id, 0) + 1
            self._enabled[camera_id] = site.cameras[camera_id].enabled
            self._numbers.setdefault(camera_id, next(self._next_number))
            self._areas.setdefault(camera_id, tuple(self._areas_of(camera_id)))
            self._states.pop(camera_id, None)

    def set_enabled(self, camera_id: str, enabled: bool) -> None:
        """Switch a camera on or off until its settings change."""
        self._enabled[camera_id] = enabled

    def set_areas(self, camera_id: str, areas: Iterable[SuppressionArea]) -> None:
        """The suppression areas of a camera, from now on."""
        self._areas[camera_id] = tuple(areas)

    def keep_states(
        self, part_id: str, states: Mapping[str, Mapping[str, Any]], assigned: Mapping[str, Assignment]
    ) -> None:
        """The rules' states of cameras, from the part that has them."""
        for camera_id, state in states.items():
            whose = assigned.get(camera_id)
            if whose is not None and whose.rules == part_id:
                self._states[camera_id] = state

    def of(self, part: Part, assigned: Mapping[str, Assignment], peers: Mapping[str, Peer]) -> Orders:
        """What ``part`` is to do."""
        own = {name: whose for name, whose in assigned.items() if getattr(whose, part.kind) == part.part_id}
        if part.kind is Kind.INGEST:
            return Orders(
                {
                    name: IngestOrder(
                        self._revisions[name],
                        self._enabled[name],
                        self._numbers[name],
                        _peer(whose.inference, peers),
                    )
                    for name, whose in own.items()
                }
            )
        if part.kind is Kind.INFERENCE:
            return Orders(
                {
                    name: InferenceOrder(
                        self._revisions[name], _peer(whose.ingest, peers), _peer(whose.rules, peers)
                    )
                    for name, whose in own.items()
                }
            )
        return Orders(
            {
                name: RulesOrder(
                    self._revisions[name],
                    _peer(whose.ingest, peers),
                    self._areas[name],
                    self._wants_looks(name),
                    None if name in part.known else self._states.get(name),
                )
                for name, whose in own.items()
            }
        )

    def same(self, part: Part, orders: Orders) -> bool:
        """Whether ``part`` was told the same already, or is being told."""
        latest = part.calls[-1].orders if part.calls and part.calls[-1].orders is not None else part.told
        return latest is not None and _bare(latest) == _bare(orders)

    def numbered(self, orders: Orders, site: SiteSettings | None) -> Orders:
        """The orders as they are sent: a part that gets two at once obeys the later ones."""
        return replace(orders, site=site, number=next(self._next_orders))


def _peer(part_id: str | None, peers: Mapping[str, Peer]) -> Peer | None:
    return None if part_id is None else peers.get(part_id)


def _bare(orders: Orders) -> dict[str, Any]:
    """The orders without what is sent once: states, which change all the time."""
    return {
        name: replace(order, state=None) if isinstance(order, RulesOrder) else order
        for name, order in orders.cameras.items()
    }
