"""The watch of a site on this one machine: its cameras, its models and its rules, each in threads of this process."""

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from config import SiteSettings
from rules import Compliance, EndReason, SuppressionArea
from streamer import wiring
from streamer.attention import Attention
from streamer.detector_factory import detector_factory
from streamer.fitness.head_sizes import ZoneHeads
from streamer.followed import FollowedHeads
from streamer.inference.batcher import Batcher, BatcherSnapshot
from streamer.inference.results import ResultQueue
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerStatus
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.sampler import phase_of
from streamer.judging.alert_ids import random_alert_id
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.judge import Judge
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import WatchEvents
from streamer.station import CameraStation

_log = logging.getLogger(__name__)


class LocalWatch:
    """Implements ``streamer.site_watch.SiteWatch``."""

    def __init__(
        self,
        site: SiteSettings,
        heartbeats: Heartbeats,
        events: WatchEvents,
        areas_of: Callable[[str], Iterable[SuppressionArea]],
    ) -> None:
        self._site = site
        self._heartbeats = heartbeats
        self._events = events
        self._areas_of = areas_of
        self._stations: dict[str, CameraStation] = {}
        self._numbers = itertools.count()
        self._hosts = HostBudget(at_once=site.ingest.connecting_per_host)
        inference = site.inference
        self._batcher = Batcher(
            max_batch=inference.max_batch,
            max_age_s=inference.max_age_s,
            collect_window_s=inference.max_wait_s,
        )
        results = ResultQueue()
        self._worker = InferenceWorker(
            batcher=self._batcher,
            load_detector=detector_factory(lambda: self._site),
            sink=results.put,
            device=str(inference.device),
            initial_sizes=wiring.expected_input_sizes(site),
            pulse=heartbeats.add("inference"),
            on_status=lambda _status: events.on_models(),
        )
        self._judge = Judge(
            results=results,
            on_alert=events.on_alert,
            on_held=events.on_held,
            model_digests=lambda: dict(self._worker.status().digests),
            pulse=heartbeats.add("rules"),
            on_look=events.on_look,
        )

    @property
    def stations(self) -> Mapping[str, CameraStation]:
        """See ``SiteWatch``, as of all that follows."""
        return self._stations

    def start(self) -> None:
        """See ``SiteWatch``."""
        self._worker.start()
        self._judge.start()
        for camera_id in self._site.cameras:
            self._add_camera(camera_id)

    def models(self) -> WorkerStatus:
        """See ``SiteWatch``."""
        return self._worker.status()

    def wait_ready(self, timeout_s: float) -> WorkerStatus:
        """See ``SiteWatch``."""
        return self._worker.wait_ready(timeout_s)

    def looks(self) -> BatcherSnapshot:
        """See ``SiteWatch``."""
        return self._batcher.snapshot()

    def compliance(self) -> Mapping[str, Sequence[Compliance]]:
        """See ``SiteWatch``."""
        return self._judge.compliance()

    def head_sizes(self) -> Mapping[str, Sequence[ZoneHeads]]:
        """See ``SiteWatch``."""
        return self._judge.head_sizes()

    @property
    def judging_failures(self) -> int:
        """See ``SiteWatch``."""
        return self._judge.failures

    def stats(self) -> Mapping[str, Any]:
        """See ``SiteWatch``."""
        return {}

    def set_areas(self, camera_id: str, areas: Iterable[SuppressionArea]) -> None:
        """See ``SiteWatch``."""
        self._judge.set_areas(camera_id, areas)

    def reload(self, site: SiteSettings, changed: Sequence[str]) -> None:
        """See ``SiteWatch``."""
        before, self._site = self._site, site
        for camera_id, station in self._stations.items():
            if camera_id not in site.cameras or camera_id in changed:
                # each that hangs takes its time to let go: they all take it at once
                station.request_stop()
        for camera_id in [*self._stations]:
            if camera_id not in site.cameras:
                self._stations.pop(camera_id).stop()
                self._judge.remove_camera(camera_id, EndReason.RELOAD)
        for camera_id in changed:
            if camera_id in self._stations:
                self._stations.pop(camera_id).stop()
            self._add_camera(camera_id)
        if [*self._stations] != [*site.cameras]:
            # those that changed have come to the end; others hold this very mapping
            for camera_id in site.cameras:
                self._stations[camera_id] = self._stations.pop(camera_id)
        if not wiring.all_models_of(site) <= wiring.all_models_of(before):
            _log.info("another model is needed: the models are loaded anew")
            self._worker.rebuild()

    def restart_camera(self, camera_id: str) -> None:
        """See ``SiteWatch``."""
        station = self._stations.get(camera_id)
        if station is not None:
            station.restart()

    def revive(self, stage: str) -> bool:
        """See ``SiteWatch``."""
        revivals = {"inference": self._worker.revive, "rules": self._judge.revive}
        return stage in revivals and revivals[stage]()

    def request_stop(self) -> None:
        """See ``SiteWatch``."""
        for station in list(self._stations.values()):
            station.request_stop()

    def stop(self, left_s: Callable[[float], float]) -> None:
        """See ``SiteWatch``."""
        for station in list(self._stations.values()):
            if not station.stop(left_s(2.0)):
                _log.warning("camera %s did not let go in time", station.camera_id)
        self._worker.stop(left_s(10.0))
        self._judge.stop(left_s(10.0))

    def _add_camera(self, camera_id: str) -> None:
        settings = self._site.cameras[camera_id]
        attention, heads = Attention(), FollowedHeads()
        view = replace(
            wiring.view_of(self._site, camera_id), keeps_examples=wiring.keeps_examples(self._site)
        )
        judge = CameraJudge(wiring.engine_of(self._site, camera_id), view, new_alert_id=random_alert_id)
        judge.set_areas(self._areas_of(camera_id))
        self._judge.set_camera(
            camera_id,
            judge,
            attention,
            heads if settings.tiles.follow else None,
            zones=tuple(settings.zones),
        )
        station = CameraStation(
            wiring.source_of(settings),
            demand=wiring.demand_of(self._site, camera_id, heads),
            retry=wiring.retry_of(settings),
            enabled=settings.enabled,
            batcher=self._batcher,
            hosts=self._hosts,
            heartbeats=self._heartbeats,
            on_status=lambda name, _status: self._events.on_camera(name),
            new_gate=wiring.gates_of(settings, attention),
            fitness=wiring.fitness_of(camera_id, settings),
            phase=phase_of(next(self._numbers)),
        )
        self._stations[camera_id] = station
        station.start()
