"""Every part's state in one place, as the status page, the metrics and the MQTT statuses show it."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from rules import Compliance
from streamer.alerts.alert_search import AlertFilter, AlertSearch
from streamer.alerts.intake import IntakeStatus
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher
from streamer.alerts.publisher_status import PublisherStatus
from streamer.fitness.findings import FindingChange, FitnessReport, FitnessState
from streamer.fitness.head_sizes import ZoneHeads
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.camera_looks import CameraLooks
from streamer.ingest.status import StreamStatus
from streamer.redaction import redact
from streamer.service.heartbeats import Heartbeats, StageAge
from streamer.service.stage_health import StageHealth, StageState
from streamer.site_watch import SiteWatch
from streamer.status.alert_tally import AlertTally
from streamer.status.health import HealthBook
from streamer.status.told_alerts import detail_of, summary_of
from streamer.web.status import (
    AlertCount,
    AlertDetail,
    AlertSummary,
    CameraStatus,
    FindingStatus,
    HeadsStatus,
    HealthStatus,
    OutboxStatus,
    PeopleCount,
    StageStatus,
    SuppressionStatus,
    WebhookStatus,
    WorkerStatus,
)
from streamer.webhooks.state import WebhookCondition


class StatusBoard:
    """Implements ``streamer.web.status.StatusSource`` over the running parts. Any thread may call.

    Raises ``OutboxError`` when the outbox cannot be read.
    """

    def __init__(
        self,
        *,
        watch: SiteWatch,
        outbox: Outbox,
        alerts: AlertSearch,
        tally: AlertTally,
        publisher: Publisher,
        broker_address: str,
        heartbeats: Heartbeats,
        health: HealthBook,
        intake: Callable[[], IntakeStatus] = lambda: IntakeStatus(held=0, lost=0, problem=""),
        webhooks: Callable[[], Sequence[WebhookCondition]] = tuple,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._watch = watch
        self._outbox = outbox
        self._alerts = alerts
        self._tally = tally
        self._publisher = publisher
        self._broker_address = broker_address
        self._heartbeats = heartbeats
        self._health = health
        self._intake = intake
        self._webhooks = webhooks
        self._wall_clock = wall_clock

    def streams(self, only: Collection[str] | None = None) -> dict[str, StreamStatus]:
        """How every camera's connection stands, or that of some."""
        return {
            camera_id: station.status()
            for camera_id, station in list(self._watch.stations.items())
            if only is None or camera_id in only
        }

    def fitness(self, only: Collection[str] | None = None) -> dict[str, FitnessReport]:
        """Whether every camera shows what it should, or some of them."""
        return {
            camera_id: station.fitness()
            for camera_id, station in list(self._watch.stations.items())
            if only is None or camera_id in only
        }

    def attend_fitness(
        self, *, each: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[str, FindingChange]]:
        """Look after every camera, about once a second; what has begun and ended, by camera. ``each`` is called before
        every camera.
        """
        for camera_id, station in list(self._watch.stations.items()):
            each()
            for change in station.attend_fitness(mono_s=time.monotonic(), at=self._wall_clock()):
                yield camera_id, change

    def looks(self) -> BatcherSnapshot:
        """What every camera got of the inference."""
        return self._watch.looks()

    def compliance(self) -> Mapping[str, Sequence[Compliance]]:
        """The counts of people, by camera."""
        return self._watch.compliance()

    def head_sizes(self) -> Mapping[str, Sequence[ZoneHeads]]:
        """How large heads are at the network's input, by camera."""
        return self._watch.head_sizes()

    @property
    def judging_failures(self) -> int:
        """Looks lost to exceptions of the rules."""
        return self._watch.judging_failures

    def watch_stats(self) -> Mapping[str, Any]:
        """What the watch adds to the site's ``stats`` message."""
        return self._watch.stats()

    def publishing(self) -> PublisherStatus:
        """How the broker's side stands."""
        return self._publisher.status

    def cameras(self) -> Sequence[CameraStatus]:
        """Every configured camera, in the order of the configuration."""
        looks = {account.camera_id: account for account in self.looks().cameras}
        fitness, heads = self.fitness(), self.head_sizes()
        return [
            _camera_status(
                camera_id,
                stream,
                looks.get(camera_id),
                fitness.get(camera_id, FitnessReport(FitnessState.OFF)),
                heads.get(camera_id, ()),
            )
            for camera_id, stream in self.streams().items()
        ]

    def alerts(
        self, limit: int, wanted: AlertFilter | None = None, *, before_seq: int | None = None
    ) -> Sequence[AlertSummary]:
        """The latest episodes, newest first, at most ``limit``."""
        found = self._alerts.find(wanted, limit=limit, before_seq=before_seq)
        notes = self._outbox.feedback.notes_of([one.messages[0].alert_id for one in found])
        return [summary_of(one, notes.get(one.messages[0].alert_id, ())) for one in found]

    def alert(self, alert_id: str) -> AlertDetail | None:
        """One episode with its messages and trace."""
        messages = self._alerts.messages_of(alert_id)
        if not messages:
            return None
        return detail_of(messages, self._outbox.feedback.notes_of([alert_id]).get(alert_id, ()))

    def suppressions(self) -> Sequence[SuppressionStatus]:
        """The suppression areas in force, oldest first."""
        return [
            SuppressionStatus(
                area_id=area.area_id,
                camera=area.camera,
                rule=area.rule,
                head=area.head_xyxy,
                alerts=area.alert_ids,
                made_at=area.made_at,
                expires_at=area.expires_at,
                held=area.held,
                last_held_at=area.last_held_at,
            )
            for area in self._outbox.feedback.areas()
        ]

    def alert_places(self) -> Sequence[tuple[str, str | None, str]]:
        """Camera, zone and rule of every alert that is kept."""
        return self._alerts.places()

    def alert_counts(self) -> Sequence[AlertCount]:
        """Alerts by camera and rule."""
        return self._tally.counts()

    def people(self) -> Sequence[PeopleCount]:
        """Who wears what where."""
        return [
            PeopleCount(
                camera=camera_id,
                zone=count.zone,
                gear=str(count.gear),
                with_now=count.with_now,
                without_now=count.without_now,
                incorrect_now=count.incorrect_now,
                indeterminate_now=count.indeterminate_now,
                worn_s=count.worn_s,
                missing_s=count.missing_s,
                incorrect_s=count.incorrect_s,
                unknown_s=count.unknown_s,
            )
            for camera_id, counts in self.compliance().items()
            for count in counts
        ]

    def stages(self) -> Sequence[StageStatus]:
        """Every stage that must beat."""
        known = {stage.name: stage for stage in self._health.current.stages}
        return [_stage_status(age, known.get(age.name)) for age in self._heartbeats.ages()]

    def health(self) -> HealthStatus:
        """The daemon as a whole."""
        health = self._health.current
        return HealthStatus(
            state=str(health.state),
            reason=health.reason,
            detail=health.detail,
            since=health.since,
            hopeless=health.hopeless,
        )

    def worker(self) -> WorkerStatus:
        """The inference worker."""
        status = self._watch.models()
        looks = self.looks().cameras
        latencies = sorted(account.latency_p50_s for account in looks if account.latency_p50_s is not None)
        return WorkerStatus(
            ready=status.working,
            state=str(status.state),
            reason=str(status.reason),
            cameras_aside=status.cameras_aside,
            device=status.device,
            frames=status.frames,
            batches=status.batches,
            failed_batches=status.failures,
            frames_per_s=sum(account.analysed_fps for account in looks),
            latency_s=latencies[len(latencies) // 2] if latencies else None,
            models=dict(status.digests),
        )

    def outbox(self) -> OutboxStatus:
        """The outbox and the connection to the broker."""
        stats = self._outbox.stats()
        oldest = self._outbox.pending(limit=1)
        link = self._publisher.status
        intake = self._intake()
        return OutboxStatus(
            connected=link.connected,
            reason=link.code,
            detail=redact(link.reason),
            broker=self._broker_address,
            last_seq=stats.last_seq,
            pending=stats.pending,
            pending_bytes=stats.pending_bytes,
            kept=stats.kept,
            dropped=stats.dropped,
            held=intake.held,
            lost=intake.lost,
            problem=redact(intake.problem),
            oldest_pending_age_s=max(0.0, self._wall_clock() - oldest[0].created_at) if oldest else None,
        )

    def webhooks(self) -> Sequence[WebhookStatus]:
        """Delivery to each webhook."""
        return [
            WebhookStatus(
                name=told.name,
                address=told.address,
                state=str(told.state),
                reason=told.reason,
                detail=told.detail,
                since=told.since,
                pending=told.waiting,
                oldest_pending_age_s=told.oldest_age_s,
                next_attempt_s=told.next_attempt_s,
                delivered=told.delivered,
                failed_attempts=told.failed_attempts,
                dropped=told.dropped,
                last_delivered_at=told.last_delivered_at,
            )
            for told in self._webhooks()
        ]

    def snapshot(self, alert_id: str) -> bytes | None:
        """The alert's latest JPEG, or None when there is none (any more)."""
        for message in self._alerts.messages_of(alert_id):
            if message.snapshot is not None and message.snapshot.exists():
                return message.snapshot.read_bytes()
        return None


def _stage_status(age: StageAge, known: StageHealth | None) -> StageStatus:
    late = age.late or age.dead
    if known is None:
        return StageStatus(name=age.name, late=late, last_beat_age_s=age.age_s, limit_s=age.limit_s)
    return StageStatus(
        name=age.name,
        late=late or known.state is not StageState.BEATING,
        last_beat_age_s=age.age_s,
        limit_s=age.limit_s,
        state=str(known.state),
        reason=str(known.reason),
        restarts=known.restarts,
    )


def _camera_status(
    camera_id: str,
    stream: StreamStatus,
    looks: CameraLooks | None,
    fitness: FitnessReport,
    heads: Sequence[ZoneHeads],
) -> CameraStatus:
    return CameraStatus(
        camera=camera_id,
        state=str(stream.state),
        reason=stream.reason,
        since=stream.since,
        fps=0.0 if looks is None else looks.analysed_fps,
        wanted_fps=None if looks is None else looks.wanted_fps,
        last_frame_age_s=stream.last_frame_age_s,
        reconnects=stream.reconnects,
        dropped_frames=0
        if looks is None
        else looks.dropped_replaced + looks.dropped_stale + looks.dropped_failed,
        held_looks=stream.held_looks,
        models=() if looks is None else looks.models,
        fitness=str(fitness.state),
        findings=tuple(
            FindingStatus(code=str(finding.code), since=finding.since, detail=finding.detail)
            for finding in fitness.findings
        ),
        heads=tuple(
            HeadsStatus(zone=zone.zone, looks=zone.looks, median_px=zone.median_px, too_small=zone.too_small)
            for zone in heads
        ),
    )
