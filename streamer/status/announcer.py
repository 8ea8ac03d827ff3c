"""Publishes how the cameras and the people in their zones stand: retained states when they change, stats in between."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, Final, Protocol

from streamer.alerts.errors import OutboxError
from streamer.alerts.intake import AlertIntake
from streamer.alerts.payload import encode_json, stats_json, utc_iso
from streamer.alerts.publisher import Publisher
from streamer.fitness.findings import FitnessReport, FitnessState
from streamer.fitness.head_sizes import ZoneHeads
from streamer.history.keeper import HistoryKeeper
from streamer.inference.camera_looks import CameraLooks
from streamer.ingest.status import StreamStatus
from streamer.judging.compliance_payload import COMPLIANCE, compliance_states, compliance_topic
from streamer.pulse import Pulse
from streamer.redaction import redact
from streamer.status.board import StatusBoard
from streamer.status.fitness import OnvifProperties, change_json, fitness_json, heads_json

_log = logging.getLogger(__name__)

_NOT_KEPT: Final = "the list of retained states cannot be kept: %s"

SCHEMA: Final = 1
#: Counts of people are published this often while they change.
_COMPLIANCE_EVERY_S: Final = 2.0
#: Rates and ages in a camera's status are renewed this often; its state is told at once.
_STATUS_EVERY_S: Final = 10.0
_TICK_S: Final = 0.5
#: Below it stand the states of webhooks.
_WEBHOOKS: Final = "webhooks/"
#: Cameras are looked after this often, and anew what was found is told at once.
_FITNESS_EVERY_S: Final = 1.0


class CameraListener(Protocol):
    """Told how cameras stand, on the announcer's thread; ``streamer.webhooks.desk.WebhookDesk`` is one."""

    def camera_status(self, camera_id: str, message: bytes, *, at: float) -> None:
        """A camera's status as it is retained now."""
        ...

    def camera_fitness(self, camera_id: str, message: bytes, *, at: float) -> None:
        """What a camera shows began or ended to be wrong."""
        ...


class StatusAnnouncer:
    """A thread that publishes ``cameras/...`` (retained) and ``stats``; ``history`` gets the counts of people.

    ``more_states`` gives topics and payloads that are retained with the cameras' own; ``on_camera`` is told of cameras.
    """

    def __init__(
        self,
        *,
        board: StatusBoard,
        publisher: Publisher,
        intake: AlertIntake,
        history: HistoryKeeper,
        site: str,
        started_at: float,
        stats_every_s: float,
        onvif: bool = False,
        pulse: Pulse,
        more_states: Callable[[], Iterable[tuple[str, bytes]]] = tuple,
        on_camera: CameraListener | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._publisher = publisher
        self._intake = intake
        self._history = history
        self._site = site
        self._started_at = started_at
        self._stats_every_s = stats_every_s
        self._more_states = more_states
        self._on_camera = on_camera
        self._pulse = pulse
        self._wall_clock = wall_clock
        self._onvif = OnvifProperties() if onvif else None
        self._lock = Lock()
        self._changed: set[str] = set()
        self._more_wanted = Event()
        self._wake = Event()
        self._stats_wanted = Event()
        self._stop = Event()
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Publish the last counts and end."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def restart(self, pulse: Pulse) -> None:
        """Go on in another thread: the present one hangs or has ended. One that comes back ends."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._stop, self._pulse = Event(), pulse
        self._thread = self._new_thread()
        self._thread.start()

    def camera_changed(self, camera_id: str) -> None:
        """A camera's state changed: tell it at once. Any thread may call."""
        with self._lock:
            self._changed.add(camera_id)
        self._wake.set()

    def worker_changed(self) -> None:
        """The inference is in another state: tell it with the stats, now. Any thread may call."""
        self._stats_wanted.set()
        self._wake.set()

    def more_changed(self) -> None:
        """What ``more_states`` gives is another: tell it at once. Any thread may call."""
        self._more_wanted.set()
        self._wake.set()

    def keep_only(self, camera_ids: Iterable[str], counted: Iterable[tuple[str, str | None]]) -> None:
        """Take the retained states of all other cameras off the broker, counts of people of places that are not
        ``counted`` (camera and zone, None: as a whole), and states of webhooks that are no more; those of earlier runs
        too.
        """
        kept = {None, *camera_ids}
        counts = {compliance_topic(camera_id, zone) for camera_id, zone in counted}
        webhooks = {topic for topic, _ in self._more_states() if topic.startswith(_WEBHOOKS)}

        def is_kept(subtopic: str) -> bool:
            if subtopic.startswith(_WEBHOOKS):
                return subtopic in webhooks
            if subtopic.endswith(f"/{COMPLIANCE}"):
                return subtopic in counts
            return camera_of(subtopic) in kept

        try:
            self._publisher.keep_states(is_kept)
        except OutboxError as error:
            _log.error(_NOT_KEPT, error)

    def _new_thread(self) -> Thread:
        return Thread(target=self._run, args=(self._stop, self._pulse), name="status", daemon=True)

    def _run(self, stop: Event, pulse: Pulse) -> None:
        due_s = {
            "status": 0.0,
            "compliance": 0.0,
            "fitness": 0.0,
            "stats": time.monotonic() + self._stats_every_s,
        }
        while True:
            pulse.beat()
            now_s = time.monotonic()
            stopping = stop.is_set()
            if now_s >= due_s["fitness"]:
                self._guarded(partial(self._attend_fitness, pulse))
                due_s["fitness"] = now_s + _FITNESS_EVERY_S
            with self._lock:
                changed, self._changed = self._changed, set()
            if stopping or now_s >= due_s["status"]:
                self._guarded(partial(self._announce_cameras, pulse))
                self._guarded(self._announce_more)
                self._guarded(self._remember_states)
                due_s["status"] = now_s + _STATUS_EVERY_S
            elif changed or self._more_wanted.is_set():
                self._guarded(partial(self._announce_cameras, pulse, changed))
                self._guarded(self._announce_more)
            pulse.beat()
            if stopping or now_s >= due_s["compliance"]:
                self._guarded(partial(self._announce_compliance, pulse))
                due_s["compliance"] = now_s + _COMPLIANCE_EVERY_S
            pulse.beat()
            if now_s >= due_s["stats"] or self._stats_wanted.is_set():
                self._stats_wanted.clear()
                self._guarded(self._announce_stats)
                due_s["stats"] = now_s + self._stats_every_s
            if stopping:
                self._guarded(self._history.flush)
                return
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001 - a status that cannot be told must not end the telling of the others
            _log.exception("a status could not be published")

    # with hundreds of cameras a round takes seconds on a busy machine: each camera in it is a sign of life

    def _attend_fitness(self, pulse: Pulse) -> None:
        for camera_id, change in self._board.attend_fitness(each=pulse.beat):
            message = change_json(self._site, camera_id, change)
            self._publisher.publish_event(f"cameras/{camera_id}/fitness", message, qos=1)
            if self._on_camera is not None:
                self._on_camera.camera_fitness(camera_id, message, at=self._wall_clock())
            with self._lock:
                self._changed.add(camera_id)

    def _announce_cameras(self, pulse: Pulse, only: Collection[str] | None = None) -> None:
        fitness, heads = self._board.fitness(only), self._board.head_sizes()
        looks = {account.camera_id: account for account in self._board.looks().cameras}
        for camera_id, stream in self._board.streams(only).items():
            pulse.beat()
            report = fitness.get(camera_id, FitnessReport(FitnessState.OFF))
            status = camera_status_json(
                camera_id, stream, looks.get(camera_id), fitness=report, heads=heads.get(camera_id, ())
            )
            self._retain(f"cameras/{camera_id}/status", status)
            if self._on_camera is not None:
                self._on_camera.camera_status(camera_id, status, at=stream.since)
            if self._onvif is not None and report.state is not FitnessState.OFF:
                for topic, message in self._onvif.messages(camera_id, report, self._wall_clock()).items():
                    self._retain(topic, message)

    def _announce_more(self) -> None:
        self._more_wanted.clear()
        for topic, message in self._more_states():
            self._retain(topic, message)

    def _remember_states(self) -> None:
        try:
            self._publisher.remember_states()
        except OutboxError as error:
            _log.error(_NOT_KEPT, error)

    def _announce_compliance(self, pulse: Pulse) -> None:
        by_camera = self._board.compliance()
        self._history.take(by_camera, self._wall_clock())
        for camera_id, counts in by_camera.items():
            pulse.beat()
            for topic, message in compliance_states(camera_id, counts):
                self._retain(topic, message)

    def _announce_stats(self) -> None:
        looks = self._board.looks()
        fields: dict[str, Any] = {
            "inference": {
                **asdict(self._board.worker()),
                "load": round(looks.load, 3),
                "overloaded": looks.overloaded,
                "judging_failures": self._board.judging_failures,
            },
            "cameras": {account.camera_id: _looks_json(account) for account in looks.cameras},
            "outbox": asdict(self._board.outbox()),
            "intake": asdict(self._intake.status),
            **self._board.watch_stats(),
        }
        self._publisher.publish_event(
            "stats",
            stats_json(at=self._wall_clock(), site=self._site, started_at=self._started_at, fields=fields),
        )

    def _retain(self, topic: str, message: bytes) -> None:
        self._publisher.publish_state(topic, message)


def camera_of(subtopic: str) -> str | None:
    """The camera that a retained state is of, by its topic below the prefix; None: the site's own."""
    levels = subtopic.split("/")
    if levels[0] == "cameras" and len(levels) > 1:
        return levels[1]
    if levels[:2] == ["command", "cameras"] and len(levels) > 2:
        return levels[2]
    # of ONVIF's topics the part from "/&" on names the source
    return subtopic.partition("/&")[2].partition("/")[0] or None


def camera_status_json(
    camera_id: str,
    stream: StreamStatus,
    looks: CameraLooks | None,
    *,
    fitness: FitnessReport | None = None,
    heads: Sequence[ZoneHeads] = (),
) -> bytes:
    """The retained ``cameras/<camera>/status``. ``reason`` is a stable code, ``detail`` the same for people."""
    return encode_json(
        {
            "schema": SCHEMA,
            "camera": camera_id,
            "state": str(stream.state),
            "reason": stream.code,
            "detail": redact(stream.reason),
            "since": utc_iso(stream.since),
            "fps": round(stream.fps, 1),
            "analysed_fps": 0.0 if looks is None else round(looks.analysed_fps, 1),
            "wanted_fps": None if looks is None else round(looks.wanted_fps, 2),
            "granted_fps": None if looks is None else round(looks.granted_fps, 2),
            "last_frame_age_s": None
            if stream.last_frame_age_s is None
            else round(stream.last_frame_age_s, 1),
            "reconnects": stream.reconnects,
            "held_looks": stream.held_looks,
            "fitness": fitness_json(fitness or FitnessReport(FitnessState.OFF)),
            "heads": heads_json(heads),
        }
    )


def _looks_json(account: CameraLooks) -> dict[str, Any]:
    return {
        "analysed_fps": round(account.analysed_fps, 2),
        "wanted_fps": account.wanted_fps,
        "analysed": account.analysed,
        "dropped_replaced": account.dropped_replaced,
        "dropped_stale": account.dropped_stale,
        "dropped_failed": account.dropped_failed,
        "missed_looks": account.missed_looks,
        "latency_p50_s": account.latency_p50_s,
        "latency_p95_s": account.latency_p95_s,
    }
