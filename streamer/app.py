"""The composition root of the daemon: makes the parts of a site, starts and stops them in order, reloads."""

import importlib.metadata
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock, Thread
from typing import Any, Final

from starlette.applications import Starlette

from config import SiteSettings, config_revision
from models.errors import ModelError
from models.runtime.memory import return_free_memory
from streamer import wiring
from streamer.alerts.alert_search import AlertSearch
from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import Alert
from streamer.alerts.publisher import Publisher
from streamer.commands import ExitCode
from streamer.control import CommandDesk
from streamer.dialects.home_assistant_announcer import HomeAssistantAnnouncer
from streamer.dialects.looks import LookDialects
from streamer.dialects.onvif import ViolationProperties
from streamer.errors import StreamerError
from streamer.feedback.desk import FeedbackDesk
from streamer.history.keeper import HistoryKeeper
from streamer.history.store import ComplianceHistory
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.worker_status import WorkerState
from streamer.judging.composer import ComposedAlert
from streamer.judging.orphans import end_orphans
from streamer.live.desk import LiveDesk
from streamer.local_watch import LocalWatch
from streamer.onlookers import Onlookers
from streamer.present_limits import limit_warnings
from streamer.process_end import end_at_once, end_within
from streamer.redaction import install_redaction, redact
from streamer.reloads import Reloads
from streamer.service.heartbeats import Heartbeats, Pulse
from streamer.service.last_guard import LastGuard
from streamer.service.sd_notify import ServiceNotifier, watchdog_interval_s
from streamer.service.stage_health import GivenUp
from streamer.service.supervisor import Supervisor
from streamer.site_changes import changed_cameras, changed_sections
from streamer.site_text import SiteSource, zone_editor_of
from streamer.site_watch import WatchEvents, WatchMaker
from streamer.status.alert_tally import AlertTally
from streamer.status.announcer import StatusAnnouncer
from streamer.status.board import StatusBoard
from streamer.status.health import HEALTH_TOPIC, DaemonHealth, HealthBook, HealthState, health_json
from streamer.status_page import StatusPage
from streamer.upkeep import Upkeep
from streamer.web.access import LOOPBACK_NAMES
from streamer.web.app import create_app
from streamer.webhook_wiring import webhook_targets_of
from streamer.webhooks.desk import WebhookDesk
from streamer.zone_editor.editor import ZoneEditor
from streamer.zone_editor.recent_looks import RecentLooks

_log = logging.getLogger(__name__)

#: Loading TensorFlow and compiling for the first sizes may take this long before READY.
_READY_TIMEOUT_S: Final = 300.0

#: What stopping in order takes at most, part by part; a part that hangs is left behind.
_STOP_S: Final = 20.0
#: The same when the daemon gives up: somebody waits for a fresh process.
_GIVE_UP_S: Final = 6.0
#: What lies free between small blocks of the heap goes back to the system this often: some 7 MB for 8 ms.
_RETURN_MEMORY_EVERY_S: Final = 300.0


class NotReadyError(StreamerError):
    """The models could not be made ready on any device; the message says why."""


class Daemon:
    """A site, running. ``start`` returns once frames can be looked at; cameras connect in the background.

    ``source``: the file that ``site`` was read from, for whoever is to change it; None: nobody may.

    Raises ``StreamerError`` (``OutboxError``, ``NotReadyError``, ``WebServerError``) from ``start`` when the site
    cannot be watched at all; a camera or a broker that is away is no error.
    """

    def __init__(
        self,
        site: SiteSettings,
        *,
        notifier: ServiceNotifier | None = None,
        guard: LastGuard | None = None,
        watch: WatchMaker = LocalWatch,
        source: SiteSource | None = None,
    ) -> None:
        install_redaction(site.secrets())
        self._site = site
        self._source = source
        self._notifier = notifier or ServiceNotifier(None)
        self._heartbeats = Heartbeats()
        self._started_at = time.time()
        self._outbox = Outbox(site.state_dir, limits=wiring.outbox_limits_of(site.retention))
        self._intake = AlertIntake(self._outbox, notify=self._stored)
        self._webhooks = WebhookDesk(
            self._outbox,
            self._heartbeats,
            user_agent=f"ppewatch/{importlib.metadata.version('ppewatch')}",
            on_change=self._webhooks_changed,
        )
        self._publisher = Publisher(
            wiring.broker_of(site.mqtt),
            self._outbox,
            topic_prefix=site.mqtt.topic_prefix,
            client_id=site.mqtt.client_id,
            housekeeping=self._keep_house,
            pulse=self._heartbeats.add("mqtt"),
        )
        self._feedback = FeedbackDesk(
            self._outbox,
            policy=wiring.area_policy_of(site.feedback),
            limits=wiring.example_limits_of(site.retention),
            on_areas=self._areas_changed,
            announce=lambda subtopic, payload: self._publisher.publish_event(subtopic, payload, qos=1),
        )
        edits_zones = site.http.enabled and site.http.edit_zones and source is not None
        self._onlookers = Onlookers(
            LiveDesk(),
            LookDialects(self._publisher, deepstream=site.mqtt.deepstream, onvif=site.mqtt.onvif),
            RecentLooks() if edits_zones else None,
        )
        events = WatchEvents(
            on_alert=self._submit,
            on_held=self._feedback.note_held,
            on_look=self._onlookers.take,
            on_camera=self._camera_changed,
            on_models=self._models_changed,
            wants_looks=self._onlookers.want,
        )
        self._watch = watch(site, self._heartbeats, events, self._feedback.areas_of)
        self._reloads = Reloads(_request_reload)
        self._tally = AlertTally()
        self._tally.expect(wiring.alert_sources_of(site))
        self._violations = ViolationProperties() if site.mqtt.onvif else None
        self._home_assistant: HomeAssistantAnnouncer | None = None
        if site.mqtt.home_assistant:
            self._home_assistant = HomeAssistantAnnouncer(
                self._publisher, discovery_prefix=site.mqtt.home_assistant_prefix
            )
        self._health = HealthBook(models=self._watch.models, on_change=self._tell_health)
        self._board = StatusBoard(
            watch=self._watch,
            outbox=self._outbox,
            alerts=AlertSearch(site.state_dir),
            tally=self._tally,
            publisher=self._publisher,
            broker_address=f"{site.mqtt.host}:{site.mqtt.port}",
            heartbeats=self._heartbeats,
            health=self._health,
            intake=lambda: self._intake.status,
            webhooks=self._webhooks.conditions,
        )
        self._announcer = StatusAnnouncer(
            board=self._board,
            publisher=self._publisher,
            intake=self._intake,
            history=HistoryKeeper(ComplianceHistory(site.state_dir), keep_s=site.retention.history_s),
            site=site.site.name,
            started_at=self._started_at,
            more_states=self._more_states,
            on_camera=self._webhooks,
            stats_every_s=site.mqtt.stats_s,
            onvif=site.mqtt.onvif,
            pulse=self._heartbeats.add("status"),
        )
        self._commands = CommandDesk(
            publisher=self._publisher,
            stations=self._watch.stations,
            feedback=self._feedback,
            request_reload=_request_reload,
        )
        if site.mqtt.commands:
            self._commands.subscribe()
        self._page = StatusPage(site, self._make_page, self._heartbeats)
        self._supervisor = Supervisor(
            self._heartbeats,
            notifier=self._notifier,
            watchdog_s=watchdog_interval_s(),
            mend=Upkeep(
                heartbeats=self._heartbeats,
                publisher=self._publisher,
                watch=self._watch,
                announcer=self._announcer,
                restart_web=self._page.restart,
                restart_webhook=self._webhooks.restart,
            ).mend,
            on_given_up=self._give_up,
            on_look=self._health.looked,
            redact=redact,
            guard=guard,
        )
        self._stopping = Lock()
        self._stopped = Event()
        self._memory_returned_s = time.monotonic()

    def watch_main(self) -> Pulse:
        """For a main thread that is to be watched as the stages are, and then has to beat."""
        return self._heartbeats.add("main")

    @property
    def web_address(self) -> str | None:
        """Where the status page is served, or None when it is switched off."""
        return self._page.address

    def looks(self) -> BatcherSnapshot:
        """What every camera got of the inference, and the load."""
        return self._watch.looks()

    def watch_stats(self) -> Mapping[str, Any]:
        """What the watch adds to the ``stats`` message."""
        return self._watch.stats()

    def start(self, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """Start every part and wait for the models, or until ``stopping`` says that nobody wants them any more."""
        self._warn()
        _log.info("site %s, configuration %s", self._site.site.name, config_revision(self._site)[:19])
        self._check_weights()
        # before the first message: what comes is owed to them
        self._webhooks.set_targets(webhook_targets_of(self._site))
        end_orphans(self._outbox, self._intake, at=time.time(), on_end=self._tell_onvif)
        self._announce_devices()
        self._tell_switches(self._site.cameras)
        self._outbox.examples.sweep()
        self._tell_health(self._health.current)
        self._keep_states()
        self._publisher.start()
        self._page.start()
        self._announcer.start()
        self._watch.start()
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
        self._watch.request_stop()
        self._watch.stop(left)
        self._announcer.stop(left(5.0))
        self._intake.flush()
        self._webhooks.stop(left(3.0))
        self._health.stopped()
        self._publisher.stop(drain_s=left(3.0), timeout_s=left(13.0))
        self._page.stop(left(5.0))
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
        self._tally.expect(wiring.alert_sources_of(site))
        self._warn()
        for section in changed_sections(before, site):
            _log.warning("%s changed: takes effect after a restart", section)
        changed = changed_cameras(before, site)
        self._watch.reload(site, changed)
        self._webhooks.set_targets(webhook_targets_of(site))
        self._keep_states()
        self._onlookers.keep_only(site.cameras)
        # whoever reloads may just have given the broker what it refused us for
        self._publisher.retry_now()
        self._announce_devices()
        self._tell_switches(changed)
        _log.info("reloaded: %d of %d cameras changed", len(changed), len(site.cameras))
        self._tell_reload(None)
        # which settings are in force stands in it
        self._tell_health(self._health.current)
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

    def begin_reload(self) -> None:
        """Settings are about to be read, for ``reload`` or ``refuse_reload``."""
        self._reloads.began()

    def _tell_reload(self, error: str | None) -> None:
        self._reloads.ended(error)
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
        # first of all: nothing else that is done about an alert may cost it
        self._intake.submit(alert, composed.jpeg, trace=composed.trace)
        self._tally.take(alert)
        self._tell_onvif(alert)
        self._feedback.keep(alert.alert_id, composed.example)

    def _tell_onvif(self, alert: Alert) -> None:
        """Whether a rule is broken at a camera is a retained property of ONVIF's."""
        if self._violations is not None:
            self._violations.take(alert, time.time())
            self._announcer.camera_changed(alert.camera)

    def _more_states(self) -> list[tuple[str, bytes]]:
        broken = [] if self._violations is None else self._violations.states(self._site.cameras)
        states = self._feedback.states(list(self._watch.stations))
        return [*states, *broken, *self._webhooks.states()]

    def _camera_changed(self, camera_id: str) -> None:
        self._announcer.camera_changed(camera_id)

    def _models_changed(self) -> None:
        self._announcer.worker_changed()

    def _webhooks_changed(self) -> None:
        self._announcer.more_changed()

    def _areas_changed(self, camera_id: str) -> None:
        self._watch.set_areas(camera_id, self._feedback.areas_of(camera_id))
        self._announcer.camera_changed(camera_id)

    def _announce_devices(self) -> None:
        if self._home_assistant is not None:
            version = importlib.metadata.version("ppewatch")
            self._home_assistant.announce(wiring.announced_site_of(self._site, version))

    def _keep_states(self) -> None:
        self._announcer.keep_only(self._site.cameras, wiring.counted_places_of(self._site))

    def _tell_switches(self, camera_ids: Iterable[str]) -> None:
        if self._site.mqtt.commands:
            cameras = self._site.cameras
            self._commands.tell_cameras({camera_id: cameras[camera_id].enabled for camera_id in camera_ids})

    def _keep_house(self) -> None:
        # the alerts first: whatever goes wrong with the rest, they are stored
        self._intake.housekeeping()
        self._feedback.housekeeping()
        now_s = time.monotonic()
        if now_s - self._memory_returned_s >= _RETURN_MEMORY_EVERY_S:
            self._memory_returned_s = now_s
            return_free_memory()

    def _stored(self) -> None:
        self._publisher.notify()
        self._webhooks.notify()

    def _wait_for_models(self, stopping: Callable[[], bool]) -> bool:
        """Whether they are ready; False when ``stopping`` came first. Raises ``NotReadyError``."""
        until_s = time.monotonic() + _READY_TIMEOUT_S
        while not stopping():
            status = self._watch.wait_ready(0.5)
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

    def _make_page(self) -> Starlette:
        http = self._site.http
        return create_app(
            self._board,
            site_name=self._site.site.name,
            version=importlib.metadata.version("ppewatch"),
            timezone=self._site.site.timezone,
            credentials=wiring.web_credentials_of(http),
            allowed_hosts=(*http.hosts, *LOOPBACK_NAMES) if http.hosts else None,
            live=self._onlookers.live,
            history=ComplianceHistory(self._site.state_dir),
            shifts=lambda: wiring.shifts_of(self._site),
            zones=lambda: wiring.zone_outlines_of(self._site),
            changes=self._commands,
            zone_editor=self._zone_editor(),
        )

    def _zone_editor(self) -> ZoneEditor | None:
        looks = self._onlookers.recent
        if looks is None or self._source is None:
            return None
        return zone_editor_of(
            self._source,
            in_force=lambda: self._site,
            looks=looks,
            reloads=self._reloads,
            areas_of=self._feedback.areas_of,
        )

    def _tell_health(self, health: DaemonHealth) -> None:
        """Tell broker and service manager of a change; waits for neither."""
        self._publisher.publish_state(HEALTH_TOPIC, self._health_json(health))
        self._notifier.status(_status_line(health) or self._summary())

    def _health_json(self, health: DaemonHealth) -> bytes:
        version = importlib.metadata.version("ppewatch")
        name, revision = self._site.site.name, config_revision(self._site)
        return health_json(health, site=name, version=version, config_revision=revision)

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


def _request_reload() -> None:
    """The main thread reloads, as after `systemctl reload`."""
    os.kill(os.getpid(), signal.SIGHUP)


def _status_line(health: DaemonHealth) -> str:
    """For ``systemctl status``; empty while there is nothing to tell."""
    if health.state is HealthState.READY and not health.reason:
        return ""
    return ": ".join(part for part in (str(health.state), health.reason, health.detail) if part)
