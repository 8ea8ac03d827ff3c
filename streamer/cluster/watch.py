"""The head of a site on many machines: keeps its parts alive, moves cameras, and takes the alerts of all.

One thread asks every part twice a second how it stands. A part whose process has ended is known at once, one that
says nothing for ``lost_after_s`` counts as gone with its machine; it is ended, its cameras go to others that run, and
another takes its place. Alerts are stored in the order in which they come, in the site's one outbox, before a part
forgets them.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Condition, Event, Thread
from typing import Any, Final

from config import SiteSettings
from rules import Compliance, SuppressionArea
from streamer.cluster.accounts import Accounts, FarStation, take_ingest
from streamer.cluster.crew import Crew
from streamer.cluster.errors import PeerError, PeerGoneError
from streamer.cluster.looks_shown import LooksShown
from streamer.cluster.muster import Muster
from streamer.cluster.orders import OrderBook
from streamer.cluster.peer import Peer
from streamer.cluster.placement import Assignment, CameraWish, Kind, Need
from streamer.cluster.roster import ASK_EVERY_S, MOST_CALLS, Call, Part
from streamer.cluster.wire import InferenceReport, IngestReport, Report, RulesReport
from streamer.fitness.head_sizes import ZoneHeads
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.worker_status import WorkerState, WorkerStatus
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import WatchEvents

_log = logging.getLogger(__name__)

STAGE: Final = "cluster"
_STEP_S: Final = 0.1


class ClusterWatch:
    """Implements ``streamer.site_watch.SiteWatch`` over the parts that ``crew`` runs.

    ``counts``, ``needs``, ``wish_of`` and ``lost_after_s`` as ``Muster`` has them.
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
        self._muster = Muster(crew, counts=counts, needs=needs, wish_of=wish_of, lost_after_s=lost_after_s)
        self._accounts = Accounts(site.cameras)
        self._orders = OrderBook(site, areas_of, events.wants_looks)
        self._shown = LooksShown(events.on_look)
        self._stations: dict[str, FarStation] = {}
        self._add_stations(site)
        self._changed = Condition()
        self._news = True
        self._ordered_s = 0.0
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
        self._muster.begin()
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
                            getattr(whose, part.kind) == part.part_id
                            for whose in self._muster.assigned.values()
                        ),
                    }
                    for part in self._muster.parts.values()
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
                self._muster.assigned.pop(camera_id, None)
            for camera_id in changed:
                self._stations.pop(camera_id, None)
            self._orders.reload(site, changed)
            self._add_stations(site)
            self._accounts.keep_only(site.cameras)
            self._muster.dirty = self._news = True

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
            self._finish([part for part in self._muster.parts.values() if part.kind is kind], left_s(5.0))
        # what the rules made of the end, and then that it is stored
        for _ in range(2):
            for part in self._muster.parts.values():
                if part.kind is Kind.RULES and part.heard_s is not None:
                    self._last_words(part, left_s(3.0))
        self._shown.close()
        for part in self._muster.parts.values():
            part.member.kill()
        self._crew.close()

    # -- the thread -----------------------------------------------------------------------------------

    def _new_thread(self) -> Thread:
        return Thread(target=self._run, name="cluster", daemon=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._pulse.beat()
            with self._changed:
                self._muster.forgive()
                self._muster.look_at_nodes()
                for part, why in self._muster.overdue():
                    self._lose(part, why, mistrust=True)
                self._news = self._muster.plan(self._site) or self._news
                self._ask()
                calls = {call.ticket: part for part in self._muster.parts.values() for call in part.calls}
            if not calls:
                self._stop.wait(_STEP_S)
                continue
            for ticket in self._crew.done(list(calls), _STEP_S):
                part = calls[ticket]
                self._hear(part, next(call for call in part.calls if call.ticket is ticket))

    def _ask(self) -> None:
        now_s = time.monotonic()
        # what is asked of the parts changes seldom, and to find out takes a while where there are many cameras
        telling = self._news or now_s - self._ordered_s >= ASK_EVERY_S
        if telling:
            self._news, self._ordered_s = False, now_s
        peers = {part.part_id: part.member.peer for part in self._muster.parts.values()}
        for part in self._muster.parts.values():
            if telling and part.heard_s is not None and len(part.calls) < MOST_CALLS:
                site = None if part.told_site is self._site else self._site
                orders = self._orders.of(part, self._muster.assigned, peers)
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
                part.told, part.told_site = call.orders, call.site or part.told_site
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
                part.is_ready, self._muster.dirty = ready, True
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
        self._orders.keep_states(part.part_id, report.states, self._muster.assigned)
        for camera_id, held in report.held:
            self._events.on_held(camera_id, held)
        self._accounts.take_rules(part.part_id, report)

    def _holder_of(self, camera_id: str) -> Peer | None:
        part = self._muster.parts.get(self._muster.assigned.get(camera_id, Assignment()).ingest or "")
        return None if part is None else part.member.peer

    def _lose(self, part: Part, why: str, *, mistrust: bool = False) -> None:
        cameras = self._muster.lose(part, why, mistrust=mistrust)
        if cameras is None:
            return
        self._accounts.forget_part(part.part_id)
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
