"""The head of a site on many machines: keeps its parts alive, moves cameras, and takes the alerts of all.

One thread asks every part twice a second how it stands. A part whose process has ended is known at once, one that
says nothing for ``lost_after_s`` counts as gone with its machine; it is ended, its cameras go to others that run, and
another takes its place. Alerts are stored in the order in which they come, in the site's one outbox, before a part
forgets them.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Condition, Event, Thread
from typing import Any, Final

from config import SiteSettings
from rules import Compliance, SuppressionArea
from streamer.cluster.accounts import Accounts, FarStation, take_ingest
from streamer.cluster.crew import Crew
from streamer.cluster.errors import PeerError, PeerGoneError
from streamer.cluster.looks_shown import LooksShown
from streamer.cluster.orders import OrderBook
from streamer.cluster.peer import Peer
from streamer.cluster.placement import (
    Assignment,
    CameraWish,
    Kind,
    Need,
    Node,
    assign,
    parts_to_start,
    wanted_counts,
)
from streamer.cluster.roster import ASK_EVERY_S, MOST_CALLS, Call, Part, PartNames
from streamer.cluster.wire import InferenceReport, IngestReport, Report, RulesReport
from streamer.fitness.head_sizes import ZoneHeads
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.worker_status import WorkerState, WorkerStatus
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import WatchEvents

_log = logging.getLogger(__name__)

STAGE: Final = "cluster"
#: A part may take this long to start: a busy machine loads its libraries, and a GPU its models.
_START_WITHIN_S: Final = 120.0
#: A machine on which a part went silent, or did not start, gets no new ones for this long.
_MISTRUST_S: Final = 30.0
#: A call that fails at once while nobody knows why: the connection broke. Half the patience is enough then.
_BROKEN_SHARE: Final = 0.5
_NODES_EVERY_S: Final = 1.0
_STEP_S: Final = 0.1
#: A step that takes longer than this was kept from running.
_LATE_S: Final = 0.5
#: Parts that cannot be started are tried again after this.
_PLAN_EVERY_S: Final = 2.0


class ClusterWatch:
    """Implements ``streamer.site_watch.SiteWatch`` over the parts that ``crew`` runs.

    - ``counts``: how many parts of each kind; None: as ``placement.wanted_counts`` has it. ``needs``: what one takes.
    - ``wish_of``: what a camera costs, and the machine that it must be read on.
    - ``lost_after_s``: silence after which a part counts as gone.
    """

    def __init__(
        self,
        site: SiteSettings,
        heartbeats: Heartbeats,
        events: WatchEvents,
        areas_of: Callable[[str], Iterable[SuppressionArea]],
        *,
        crew: Crew,
        counts: Mapping[Kind, int | None],
        needs: Mapping[Kind, Need],
        wish_of: Callable[[SiteSettings, str], CameraWish],
        lost_after_s: float,
    ) -> None:
        self._site = site
        self._heartbeats = heartbeats
        self._pulse = heartbeats.add(STAGE)
        self._events = events
        self._crew = crew
        self._counts = counts
        self._needs = needs
        self._wish_of = wish_of
        self._lost_after_s = lost_after_s
        self._accounts = Accounts()
        self._orders = OrderBook(site, areas_of, events.wants_looks)
        self._shown = LooksShown(events.on_look)
        self._stations: dict[str, FarStation] = {}
        self._add_stations(site)
        self._names = PartNames()
        self._parts: dict[str, Part] = {}
        self._nodes: list[Node] = []
        self._mistrusted: dict[str, float] = {}
        self._assigned: dict[str, Assignment] = {}
        self._nodes_s = self._planned_s = float("-inf")
        self._changed = Condition()
        self._dirty = self._news = True
        self._ordered_s = 0.0
        self._lack = ""
        self._stepped_s = time.monotonic()
        self._ready = Event()
        self._stop = Event()
        self._thread = self._new_thread()

    # -- SiteWatch ------------------------------------------------------------------------------------

    @property
    def stations(self) -> Mapping[str, FarStation]:
        """See ``SiteWatch``, as of all that follows."""
        return self._stations

    def start(self) -> None:
        """See ``SiteWatch``."""
        self._stepped_s = time.monotonic()
        self._thread.start()

    def models(self) -> WorkerStatus:
        """See ``SiteWatch``."""
        return self._accounts.models()

    def wait_ready(self, timeout_s: float) -> WorkerStatus:
        """See ``SiteWatch``."""
        self._ready.wait(timeout_s)
        return self.models()

    def looks(self) -> BatcherSnapshot:
        """See ``SiteWatch``."""
        return self._accounts.looks()

    def compliance(self) -> Mapping[str, Sequence[Compliance]]:
        """See ``SiteWatch``."""
        return self._accounts.compliance()

    def head_sizes(self) -> Mapping[str, Sequence[ZoneHeads]]:
        """See ``SiteWatch``."""
        return self._accounts.head_sizes()

    @property
    def judging_failures(self) -> int:
        """See ``SiteWatch``."""
        return self._accounts.judging_failures

    def stats(self) -> Mapping[str, Any]:
        """See ``SiteWatch``: the parts by name, with their machines and cameras."""
        with self._changed:
            return {
                "cluster": {
                    part.part_id: {
                        "node": part.node_id[:12],
                        "pid": part.pid,
                        "ready": part.is_ready,
                        "cameras": sum(
                            getattr(whose, part.kind) == part.part_id for whose in self._assigned.values()
                        ),
                    }
                    for part in self._parts.values()
                }
            }

    def set_areas(self, camera_id: str, areas: Iterable[SuppressionArea]) -> None:
        """See ``SiteWatch``."""
        with self._changed:
            self._orders.set_areas(camera_id, areas)
            self._news = True

    def reload(self, site: SiteSettings, changed: Sequence[str]) -> None:
        """See ``SiteWatch``."""
        with self._changed:
            self._site = site
            for camera_id in self._stations.keys() - site.cameras.keys():
                del self._stations[camera_id]
                self._assigned.pop(camera_id, None)
            for camera_id in changed:
                self._stations.pop(camera_id, None)
            self._orders.reload(site, changed)
            self._add_stations(site)
            self._accounts.keep_only(site.cameras)
            self._dirty = self._news = True

    def restart_camera(self, camera_id: str) -> None:
        """See ``SiteWatch``: its part does that."""

    def revive(self, stage: str) -> bool:
        """See ``SiteWatch``."""
        if stage != STAGE or self._thread.is_alive() or self._stop.is_set():
            return False
        self._thread = self._new_thread()
        self._thread.start()
        return True

    def request_stop(self) -> None:
        """See ``SiteWatch``: ``stop`` is quick to ask."""

    def stop(self, left_s: Callable[[float], float]) -> None:
        """See ``SiteWatch``."""
        self._stop.set()
        self._thread.join(left_s(5.0))
        for kind in (Kind.INGEST, Kind.INFERENCE, Kind.RULES):
            self._finish([part for part in self._parts.values() if part.kind is kind], left_s(5.0))
        # what the rules made of the end, and then that it is stored
        for _ in range(2):
            for part in self._parts.values():
                if part.kind is Kind.RULES and part.heard_s is not None:
                    self._last_words(part, left_s(3.0))
        self._shown.close()
        for part in self._parts.values():
            part.member.kill()
        self._crew.close()

    # -- the thread -----------------------------------------------------------------------------------

    def _new_thread(self) -> Thread:
        return Thread(target=self._run, name="cluster", daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._pulse.beat()
            with self._changed:
                self._forgive()
                self._look_at_nodes()
                self._mind()
                self._plan()
                self._ask()
                calls = {call.ticket: part for part in self._parts.values() for call in part.calls}
            if not calls:
                self._stop.wait(_STEP_S)
                continue
            for ticket in self._crew.done(list(calls), _STEP_S):
                part = calls[ticket]
                self._hear(part, next(call for call in part.calls if call.ticket is ticket))

    def _look_at_nodes(self) -> None:
        now_s = time.monotonic()
        if now_s - self._nodes_s < _NODES_EVERY_S:
            return
        self._nodes_s = now_s
        nodes = self._crew.nodes()
        if {node.node_id for node in nodes} != {node.node_id for node in self._nodes}:
            _log.info("the cluster has %d machines", len(nodes))
            self._dirty = True
        self._nodes = nodes

    def _forgive(self) -> None:
        """While this thread got no time itself, it heard nobody: that is nobody else's silence."""
        now_s = time.monotonic()
        late_s = now_s - self._stepped_s - _LATE_S
        if late_s > 0:
            for part in self._parts.values():
                part.started_s += late_s
                part.heard_s = None if part.heard_s is None else part.heard_s + late_s
        self._stepped_s = now_s

    def _mind(self) -> None:
        """Give up those that are silent, or do not start."""
        now_s = time.monotonic()
        for part in list(self._parts.values()):
            if part.heard_s is None:
                if now_s - part.started_s > _START_WITHIN_S:
                    self._lose(part, "it does not start", mistrust=True)
                continue
            limit_s = self._lost_after_s
            if part.failing_since_s is not None:
                limit_s *= _BROKEN_SHARE
            if part.silent_s(now_s) > limit_s:
                self._lose(part, f"nothing heard of it for {part.silent_s(now_s):.1f} s", mistrust=True)

    def _plan(self) -> None:
        now_s = time.monotonic()
        if not self._nodes or not (self._dirty or now_s - self._planned_s > _PLAN_EVERY_S):
            return
        self._dirty, self._planned_s = False, now_s
        wishes = [self._wish_of(self._site, camera_id) for camera_id in self._site.cameras]
        seats = [part.seat for part in self._parts.values()]
        trusted = [
            node for node in self._nodes if now_s - self._mistrusted.get(node.node_id, -1e9) > _MISTRUST_S
        ]
        counts = wanted_counts(self._nodes, wishes, self._counts, self._needs)
        for kind, node_id in parts_to_start(trusted, seats, counts, self._needs, wishes):
            self._start_part(kind, node_id)
        self._tell_lack(counts)
        before, self._assigned = (
            self._assigned,
            assign(
                wishes, self._nodes_of_parts(), [part.seat for part in self._parts.values()], self._assigned
            ),
        )
        self._news = self._news or before != self._assigned
        for camera_id, whose in self._assigned.items():
            was = before.get(camera_id, Assignment())
            if was != whose and was != Assignment():
                _log.info("camera %s: %s", camera_id, _moves(was, whose))

    def _tell_lack(self, counts: Mapping[Kind, int]) -> None:
        """Say once of which parts there are fewer than wanted."""
        present = Counter(part.kind for part in self._parts.values())
        lack = ", ".join(
            f"{counts[kind] - present[kind]} {kind}" for kind in Kind if present[kind] < counts[kind]
        )
        if lack and lack != self._lack:
            _log.warning("no machine has room, or is trusted, for these parts: %s", lack)
        self._lack = lack

    def _nodes_of_parts(self) -> list[Node]:
        """The machines, also those that the cluster no longer names while parts on them still answer."""
        known = {node.node_id for node in self._nodes}
        lone = {part.node_id for part in self._parts.values()} - known
        return [*self._nodes, *(Node(node_id, 0.0) for node_id in sorted(lone))]

    def _start_part(self, kind: Kind, node_id: str) -> None:
        part_id = self._names.next(kind)
        member = self._crew.start(kind, node_id, self._site)
        part = self._parts[part_id] = Part(part_id, kind, node_id, member, time.monotonic())
        part.told_site = self._site
        _log.info("part %s starts on machine %s", part_id, node_id[:12])

    def _ask(self) -> None:
        now_s = time.monotonic()
        # what is asked of the parts changes seldom, and to find out takes a while where there are many cameras
        telling = self._news or now_s - self._ordered_s >= ASK_EVERY_S
        if telling:
            self._news, self._ordered_s = False, now_s
        peers = {part.part_id: part.member.peer for part in self._parts.values()}
        for part in self._parts.values():
            if telling and part.heard_s is not None and len(part.calls) < MOST_CALLS:
                site = None if part.told_site is self._site else self._site
                orders = self._orders.of(part, self._assigned, peers)
                if site is not None or not self._orders.same(part, orders):
                    part.begin(self._orders.numbered(orders, site), site, *self._more(part))
                    continue
            if part.may_ask(now_s):
                part.begin(None, None, *self._more(part))

    def _more(self, part: Part) -> tuple[Any, ...]:
        """What an exchange with the rules says beside orders."""
        return (part.last_alert, ASK_EVERY_S) if part.kind is Kind.RULES else ()

    # -- answers --------------------------------------------------------------------------------------

    def _hear(self, part: Part, call: Call) -> None:
        part.calls.remove(call)
        try:
            report: Report = call.ticket.result()
        except PeerGoneError as error:
            with self._changed:
                self._lose(part, str(error))
            return
        except PeerError as error:
            if part.failing_since_s is None:
                part.failing_since_s = time.monotonic()
                _log.warning("part %s: %s", part.part_id, error)
            with self._changed:
                # whatever it was told may not have come: it is told again
                part.told, part.asked_s = None, time.monotonic()
            return
        with self._changed:
            part.failing_since_s = None
            if part.heard_s is None:
                self._news = True
                part.member.found(report.lane)
                _log.info(
                    "part %s is there, process %d, after %.1f s",
                    part.part_id,
                    report.pid,
                    time.monotonic() - part.started_s,
                )
            part.heard_s, part.pid = time.monotonic(), report.pid
            if call.orders is not None:
                part.told, part.told_site = call.orders, self._site if call.site is None else call.site
                part.known = set(call.orders.cameras)
        self._take(part, report)

    def _take(self, part: Part, report: Report) -> None:
        ready = True
        if isinstance(report, IngestReport):
            for camera_id in take_ingest(self._stations, report):
                self._events.on_camera(camera_id)
        elif isinstance(report, InferenceReport):
            before = self._accounts.models()
            for camera_id in self._accounts.take_inference(part.part_id, report):
                self._events.on_camera(camera_id)
            after = self._accounts.models()
            if (before.state, before.reason, before.device) != (after.state, after.reason, after.device):
                self._events.on_models()
            ready = report.models.working
            if ready or report.models.state is WorkerState.FAILED:
                self._ready.set()
        else:
            self._take_rules(part, report, self._pulse.beat)
        with self._changed:
            if part.is_ready != ready:
                part.is_ready, self._dirty = ready, True
                self._news = True
            if report.stuck:
                self._lose(part, f"its stage {report.stuck} hangs")

    def _take_rules(self, part: Part, report: RulesReport, alive: Callable[[], None]) -> None:
        """``alive`` is called before each alert: to store one durably may take a slow disk its time."""
        for number, alert in report.alerts:
            if number > part.last_alert:
                alive()
                # in the outbox before the part is told that it may forget it
                self._events.on_alert(alert)
                part.last_alert = number
        for judged in report.looks:
            self._shown.put(judged, self._holder_of(judged.look.key.camera_id))
        self._orders.keep_states(part.part_id, report.states, self._assigned)
        for camera_id, held in report.held:
            self._events.on_held(camera_id, held)
        self._accounts.take_rules(part.part_id, report)

    def _holder_of(self, camera_id: str) -> Peer | None:
        part = self._parts.get(self._assigned.get(camera_id, Assignment()).ingest or "")
        return None if part is None else part.member.peer

    def _lose(self, part: Part, why: str, *, mistrust: bool = False) -> None:
        if self._parts.pop(part.part_id, None) is None:
            return
        cameras = [
            name for name, whose in self._assigned.items() if getattr(whose, part.kind) == part.part_id
        ]
        _log.error("part %s is given up: %s; %d cameras go to others", part.part_id, why, len(cameras))
        part.member.kill()
        # one that ends before it was ever heard of would do so again, at once
        if mistrust or part.heard_s is None:
            self._mistrusted[part.node_id] = time.monotonic()
        self._accounts.forget_part(part.part_id)
        self._dirty = True
        if part.kind is Kind.INGEST:
            for camera_id in cameras:
                self._stations[camera_id].moving()
                self._events.on_camera(camera_id)

    # -- the end --------------------------------------------------------------------------------------

    def _finish(self, parts: Sequence[Part], within_s: float) -> None:
        tickets = [part.member.begin("finish") for part in parts if part.heard_s is not None]
        end_s = time.monotonic() + within_s
        while tickets and time.monotonic() < end_s:
            done = self._crew.done(tickets, _STEP_S)
            tickets = [ticket for ticket in tickets if ticket not in done]

    def _last_words(self, part: Part, within_s: float) -> None:
        try:
            report: RulesReport = part.member.peer.call(
                "exchange", None, part.last_alert, 0.0, timeout_s=within_s
            )
        except PeerError as error:
            _log.error("part %s: open alerts are ended at the next start: %s", part.part_id, error)
            return
        # not in this watch's thread, which has ended
        self._take_rules(part, report, lambda: None)

    def _add_stations(self, site: SiteSettings) -> None:
        known = dict(self._stations)
        self._stations.clear()
        for camera_id, camera in site.cameras.items():
            self._stations[camera_id] = known.get(camera_id) or FarStation(
                camera_id, enabled=camera.enabled, on_enabled=self._enabled
            )

    def _enabled(self, camera_id: str, enabled: bool) -> None:
        with self._changed:
            self._orders.set_enabled(camera_id, enabled)
            self._news = True


def _moves(was: Assignment, whose: Assignment) -> str:
    """``ingest-1 -> ingest-2``."""
    pairs = ((was.ingest, whose.ingest), (was.inference, whose.inference), (was.rules, whose.rules))
    return ", ".join(f"{old or 'nobody'} -> {new or 'nobody'}" for old, new in pairs if old != new)
