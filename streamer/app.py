"""The composition root of the daemon: makes the parts of a site, starts and stops them in order, reloads."""

import importlib.metadata
import itertools
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Final

from config import SiteSettings, config_revision
from models.errors import ModelError
from models.structures import Detections
from rules import EndReason, Track
from streamer import wiring
from streamer.alerts.alert_search import AlertSearch
from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.attention import Attention
from streamer.commands import ExitCode
from streamer.control import CommandDesk
from streamer.detector_factory import detector_factory
from streamer.dialects.home_assistant_announcer import HomeAssistantAnnouncer
from streamer.dialects.looks import LookDialects
from streamer.errors import StreamerError
from streamer.feedback.desk import FeedbackDesk
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.history.keeper import HistoryKeeper
from streamer.history.store import ComplianceHistory
from streamer.inference.batcher import Batcher, BatcherSnapshot
from streamer.inference.results import ResultQueue
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerState
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.sampler import phase_of
from streamer.judging.alert_ids import random_alert_id
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert
from streamer.judging.judge import Judge
from streamer.judging.orphans import end_orphans
from streamer.judging.view import CameraView
from streamer.live.desk import LiveDesk
from streamer.present_limits import limit_warnings
from streamer.process_end import end_at_once, end_within
from streamer.redaction import install_redaction, redact
from streamer.service.heartbeats import Heartbeats, Pulse
from streamer.service.last_guard import LastGuard
from streamer.service.sd_notify import ServiceNotifier, watchdog_interval_s
from streamer.service.stage_health import GivenUp
from streamer.service.supervisor import Supervisor
from streamer.site_changes import changed_cameras, changed_sections
from streamer.station import CameraStation
from streamer.status.alert_tally import AlertTally
from streamer.status.announcer import StatusAnnouncer
from streamer.status.board import StatusBoard
from streamer.status.health import HEALTH_TOPIC, DaemonHealth, HealthBook, HealthState, health_json
from streamer.upkeep import Upkeep
from streamer.web.access import LOOPBACK_NAMES, WebServerError
from streamer.web.app import create_app
from streamer.web.server import WebServer

_log = logging.getLogger(__name__)

#: Loading TensorFlow and compiling for the first sizes may take this long before READY.
_READY_TIMEOUT_S: Final = 300.0

#: What stopping in order takes at most, part by part; a part that hangs is left behind.
_STOP_S: Final = 20.0
#: The same when the daemon gives up: somebody waits for a fresh process.
_GIVE_UP_S: Final = 6.0


class NotReadyError(StreamerError):
    """The models could not be made ready on any device; the message says why."""


class Daemon:
    """A site, running. ``start`` returns once frames can be looked at; cameras connect in the background.

    Raises ``StreamerError`` (``OutboxError``, ``NotReadyError``, ``WebServerError``) from ``start`` when the site
    cannot be watched at all; a camera or a broker that is away is no error.
    """

    def __init__(
        self,
        site: SiteSettings,
        *,
        notifier: ServiceNotifier | None = None,
        guard: LastGuard | None = None,
    ) -> None:
        install_redaction(site.secrets())
        self._site = site
        self._notifier = notifier or ServiceNotifier(None)
        self._heartbeats = Heartbeats()
        self._started_at = time.time()
        self._stations: dict[str, CameraStation] = {}
        self._numbers = itertools.count()
        self._hosts = HostBudget(at_once=site.ingest.connecting_per_host)
        inference = site.inference
        self._batcher = Batcher(
            max_batch=inference.max_batch,
            max_age_s=inference.max_age_s,
            collect_window_s=inference.max_wait_s,
        )
        self._results = ResultQueue()
        self._outbox = Outbox(site.state_dir, limits=wiring.outbox_limits_of(site.retention))
        self._intake = AlertIntake(self._outbox, notify=self._stored)
        self._publisher = Publisher(
            wiring.broker_of(site.mqtt),
            self._outbox,
            topic_prefix=site.mqtt.topic_prefix,
            client_id=site.mqtt.client_id,
            housekeeping=self._keep_house,
            pulse=self._heartbeats.add("mqtt"),
        )
        self._worker = InferenceWorker(
            batcher=self._batcher,
            load_detector=detector_factory(lambda: self._site),
            sink=self._results.put,
            device=str(inference.device),
            initial_sizes=wiring.expected_input_sizes(site),
            pulse=self._heartbeats.add("inference"),
            on_status=lambda _status: self._announcer.worker_changed(),
        )
        self._live = LiveDesk()
        self._tally = AlertTally()
        self._look_dialects = LookDialects(self._publisher, deepstream=site.mqtt.deepstream)
        self._home_assistant: HomeAssistantAnnouncer | None = None
        if site.mqtt.home_assistant:
            self._home_assistant = HomeAssistantAnnouncer(
                self._publisher, discovery_prefix=site.mqtt.home_assistant_prefix
            )
        self._feedback = FeedbackDesk(
            self._outbox,
            policy=wiring.area_policy_of(site.feedback),
            limits=wiring.example_limits_of(site.retention),
            on_areas=self._areas_changed,
            announce=lambda subtopic, payload: self._publisher.publish_event(subtopic, payload, qos=1),
        )
        self._judge = Judge(
            results=self._results,
            on_alert=self._submit,
            on_held=self._feedback.note_held,
            model_digests=lambda: dict(self._worker.status().digests),
            pulse=self._heartbeats.add("rules"),
            on_look=self._looked,
        )
        self._health = HealthBook(models=self._worker.status, on_change=self._tell_health)
        self._board = StatusBoard(
            stations=self._stations,
            batcher=self._batcher,
            head_sizes=self._judge.head_sizes,
            worker=self._worker,
            outbox=self._outbox,
            alerts=AlertSearch(site.state_dir),
            tally=self._tally,
            compliance=self._judge.compliance,
            publisher=self._publisher,
            broker_address=f"{site.mqtt.host}:{site.mqtt.port}",
            heartbeats=self._heartbeats,
            health=self._health,
        )
        self._announcer = StatusAnnouncer(
            board=self._board,
            judge=self._judge,
            publisher=self._publisher,
            intake=self._intake,
            history=HistoryKeeper(ComplianceHistory(site.state_dir), keep_s=site.retention.history_s),
            site=site.site.name,
            started_at=self._started_at,
            more_states=lambda: self._feedback.states(list(self._stations)),
            stats_every_s=site.mqtt.stats_s,
            onvif=site.mqtt.onvif,
            pulse=self._heartbeats.add("status"),
        )
        self._commands = CommandDesk(
            publisher=self._publisher,
            stations=self._stations,
            feedback=self._feedback,
            # the main thread reloads, as after `systemctl reload`
            request_reload=lambda: os.kill(os.getpid(), signal.SIGHUP),
        )
        if site.mqtt.commands:
            self._commands.subscribe()
        self._supervisor = Supervisor(
            self._heartbeats,
            notifier=self._notifier,
            watchdog_s=watchdog_interval_s(),
            mend=Upkeep(
                heartbeats=self._heartbeats,
                publisher=self._publisher,
                worker=self._worker,
                judge=self._judge,
                announcer=self._announcer,
                restart_camera=self._restart_camera,
                restart_web=self._restart_web,
            ).mend,
            on_given_up=self._give_up,
            on_look=self._health.looked,
            redact=redact,
            guard=guard,
        )
        self._web: WebServer | None = None
        self._stopping = Lock()
        self._stopped = Event()

    def watch_main(self) -> Pulse:
        """For a main thread that is to be watched as the stages are, and then has to beat."""
        return self._heartbeats.add("main")

    @property
    def web_address(self) -> str | None:
        """Where the status page is served, or None when it is switched off."""
        return None if self._web is None else self._web.address

    def looks(self) -> BatcherSnapshot:
        """What every camera got of the inference, and the load."""
        return self._batcher.snapshot()

    def start(self, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Start every part and wait for the models, or until ``stopping`` says that nobody wants them any more."""
        self._warn()
        _log.info("site %s, configuration %s", self._site.site.name, config_revision(self._site)[:19])
        self._check_weights()
        end_orphans(self._outbox, self._intake, at=time.time())
        self._announce_devices()
        self._outbox.examples.sweep()
        self._tell_health(self._health.current)
        self._publisher.start()
        self._start_web()
        self._worker.start()
        self._judge.start()
        self._announcer.start()
        for camera_id in self._site.cameras:
            self._add_camera(camera_id)
        # the last: hundreds of cameras take a while, and a stage that has not begun yet is none that hangs
        self._supervisor.start()
        if not self._wait_for_models(stopping):
            return
        self._notifier.ready(self._summary())
        _log.info("ready: %s", self._summary())

    def stop(self, within_s: float = _STOP_S) -> None:
        """Stop the cameras, judge what was seen, end the episodes, send what waits, and say ``stopped``.

        A part that hangs is left behind, so that all of it takes about ``within_s`` at most. Twice is allowed: the
        second call waits for the first.
        """
        if not self._stopping.acquire(blocking=False):
            self._stopped.wait(within_s)
            return
        end_s = time.monotonic() + within_s

        def left(at_most_s: float) -> float:
            # half of what is left: one that hangs leaves something to those after it
            return max(0.1, min(at_most_s, (end_s - time.monotonic()) / 2))

        self._supervisor.stand_down()
        self._health.stopping()
        self._notifier.stopping(_status_line(self._health.current) or "stopping")
        stations = list(self._stations.values())
        for station in stations:
            station.request_stop()
        for station in stations:
            if not station.stop(left(2.0)):
                _log.warning("camera %s did not let go in time", station.camera_id)
        self._worker.stop(left(10.0))
        self._judge.stop(left(10.0))
        self._announcer.stop(left(5.0))
        self._intake.flush()
        self._health.stopped()
        self._publisher.stop(drain_s=left(3.0), timeout_s=left(13.0))
        if self._web is not None:
            self._web.stop(left(5.0))
        self._supervisor.stop()
        self._outbox.close()
        _log.info("stopped")
        self._stopped.set()

    def reload(self, site: SiteSettings) -> None:
        """Go on with other settings: cameras and rules that changed start anew, the others are not touched.

        Where they cannot be used nothing changes, and the refusal is told as with ``refuse_reload``.
        """
        self._notifier.reloading("reloading")
        try:
            wiring.check_usable(site, before=self._site)
        except (ModelError, ValueError) as error:
            self.refuse_reload(str(error))
            self._notifier.ready(self._summary())
            return
        install_redaction(self._site.secrets() | site.secrets())
        before, self._site = self._site, site
        self._warn()
        for section in changed_sections(before, site):
            _log.warning("%s changed: takes effect after a restart", section)
        changed = changed_cameras(before, site)
        for camera_id in [*self._stations]:
            if camera_id not in site.cameras:
                self._drop_camera(camera_id)
        for camera_id in changed:
            if camera_id in self._stations:
                self._stations.pop(camera_id).stop()
            self._add_camera(camera_id)
        self._announcer.keep_only(site.cameras)
        self._live.keep_only(site.cameras)
        # whoever reloads may just have given the broker what it refused us for
        self._publisher.retry_now()
        self._announce_devices()
        if not wiring.all_models_of(site) <= wiring.all_models_of(before):
            _log.info("another model is needed: the models are loaded anew")
            self._worker.rebuild()
        _log.info("reloaded: %d of %d cameras changed", len(changed), len(site.cameras))
        self._tell_reload(None)
        self._notifier.ready(self._summary())

    def _check_weights(self) -> None:
        """Damaged weights do not get better by being tried again: say which before anything is begun."""
        try:
            wiring.check_weights_of(self._site)
        except ModelError as error:
            self._outbox.close()
            raise NotReadyError(f"the models cannot be used: {error}") from error

    def _warn(self) -> None:
        for warning in limit_warnings(self._site):
            _log.warning("%s", warning)

    def refuse_reload(self, error: str) -> None:
        """The new settings are wrong: say so, and go on with those in force."""
        _log.error("not reloaded, the settings in force stay: %s", error)
        self._tell_reload(error)

    def _tell_reload(self, error: str | None) -> None:
        if self._site.mqtt.commands:
            self._commands.tell_reload(error)

    def _submit(self, composed: ComposedAlert) -> None:
        alert = composed.alert
        _log.info(
            "%s alert %s: camera %s, rule %s, %s%s",
            alert.type,
            alert.alert_id,
            alert.camera,
            alert.rule,
            ", ".join(alert.missing),
            "" if alert.end_reason is None else f", ended: {alert.end_reason}",
        )
        self._tally.take(alert)
        self._intake.submit(alert, composed.jpeg, trace=composed.trace)
        # the alert first: nothing of it waits for a frame that may be of use one day
        self._feedback.keep(alert.alert_id, composed.example)

    def _areas_changed(self, camera_id: str) -> None:
        self._judge.set_areas(camera_id, self._feedback.areas_of(camera_id))
        self._announcer.camera_changed(camera_id)

    def _looked(
        self, frame: Frame, detections: Detections, tracks: Sequence[Track], view: CameraView
    ) -> None:
        self._live.take(frame, detections, tracks, view)
        self._look_dialects.take(frame, detections, tracks, view)

    def _announce_devices(self) -> None:
        if self._home_assistant is not None:
            version = importlib.metadata.version("ppewatch")
            self._home_assistant.announce(wiring.announced_site_of(self._site, version))

    def _keep_house(self) -> None:
        self._feedback.housekeeping()
        self._intake.housekeeping()

    def _stored(self) -> None:
        self._publisher.notify()

    def _add_camera(self, camera_id: str) -> None:
        settings = self._site.cameras[camera_id]
        attention, heads = Attention(), FollowedHeads()
        view = replace(
            wiring.view_of(self._site, camera_id), keeps_examples=wiring.keeps_examples(self._site)
        )
        judge = CameraJudge(wiring.engine_of(self._site, camera_id), view, new_alert_id=random_alert_id)
        judge.set_areas(self._feedback.areas_of(camera_id))
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
            on_status=lambda name, _status: self._announcer.camera_changed(name),
            new_gate=wiring.gates_of(settings, attention),
            fitness=wiring.fitness_of(camera_id, settings),
            phase=phase_of(next(self._numbers)),
        )
        self._stations[camera_id] = station
        station.start()

    def _restart_camera(self, camera_id: str) -> None:
        station = self._stations.get(camera_id)
        if station is not None:
            station.restart()

    def _drop_camera(self, camera_id: str) -> None:
        self._stations.pop(camera_id).stop()
        self._judge.remove_camera(camera_id, EndReason.RELOAD)

    def _wait_for_models(self, stopping: Callable[[], bool]) -> bool:
        """Whether they are ready; False when ``stopping`` came first. Raises ``NotReadyError``."""
        until_s = time.monotonic() + _READY_TIMEOUT_S
        while not stopping():
            status = self._worker.wait_ready(0.5)
            if status.working:
                return True
            if status.state is WorkerState.FAILED:
                self.stop()
                raise NotReadyError(
                    f"the models cannot be used: {status.reason} ({status.detail}), see the log"
                )
            if time.monotonic() > until_s:
                self.stop()
                raise NotReadyError(f"the models were not ready after {_READY_TIMEOUT_S:.0f} s")
            self._notifier.extend_timeout(30.0)
        return False

    def _restart_web(self) -> None:
        if self._web is not None:
            self._web.abandon()
            self._start_web()

    def _start_web(self) -> None:
        http = self._site.http
        if not http.enabled:
            return
        app = create_app(
            self._board,
            site_name=self._site.site.name,
            version=importlib.metadata.version("ppewatch"),
            timezone=self._site.site.timezone,
            credentials=wiring.web_credentials_of(http),
            allowed_hosts=(*http.hosts, *LOOPBACK_NAMES) if http.hosts else None,
            live=self._live,
            history=ComplianceHistory(self._site.state_dir),
            shifts=wiring.shifts_of(self._site),
            zones=lambda: wiring.zone_outlines_of(self._site),
            changes=self._commands,
        )
        pulse = self._heartbeats.add("web")
        web = WebServer(app, http.host, http.port, proxies=http.proxies, pulse=pulse)
        try:
            web.start()
        except WebServerError as error:
            # a port that is taken must not keep the site from being watched
            _log.error("no status page: %s", error)
            self._heartbeats.remove(pulse)
            return
        self._web = web
        _log.info("status page: %s", web.address)

    def _tell_health(self, health: DaemonHealth) -> None:
        """Tell broker and service manager of a change; waits for neither."""
        self._publisher.publish_state(HEALTH_TOPIC, health_json(health, site=self._site.site.name))
        self._notifier.status(_status_line(health) or self._summary())

    def _give_up(self, given_up: GivenUp) -> None:
        """A stage cannot be mended: say so, and end the process, whatever hangs in it."""
        why = f"gave up: {given_up.reason}: stage {given_up.stage}: {given_up.detail}"
        end_within(_GIVE_UP_S + 2.0, ExitCode.GAVE_UP, why)
        _log.critical("%s; exit code %d", why, ExitCode.GAVE_UP)
        self._health.give_up(given_up)
        Thread(target=self._end, name="end", daemon=True).start()

    def _end(self) -> None:
        try:
            self.stop(_GIVE_UP_S)
        finally:
            end_at_once(ExitCode.GAVE_UP)

    def _summary(self) -> str:
        return f"{len(self._site.cameras)} cameras, {len(self._site.rules)} rules"


def _status_line(health: DaemonHealth) -> str:
    """For ``systemctl status``; empty while there is nothing to tell."""
    if health.state is HealthState.READY and not health.reason:
        return ""
    return ": ".join(part for part in (str(health.state), health.reason, health.detail) if part)
