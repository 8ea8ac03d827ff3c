"""The numbers for Prometheus, read from the status source when they are scraped."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.fitness.findings import Code, FitnessState
from streamer.web.status import (
    AlertCount,
    CameraStatus,
    OutboxStatus,
    PeopleCount,
    StageStatus,
    StatusSource,
    WebhookStatus,
    WorkerStatus,
)

CAMERA_STATES: Final = ("connecting", "online", "stalled", "refused", "disabled")


class StatusCollector(Collector):
    """Turns a ``StatusSource`` into metrics named ``ppewatch_...``, in seconds, bytes and counts."""

    def __init__(self, source: StatusSource, version: str) -> None:
        self._source = source
        self._version = version

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the daemon, whose parts may not be up yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every metric of the daemon."""
        yield InfoMetricFamily("ppewatch_build", "The running version.", {"version": self._version})
        yield GaugeMetricFamily(
            "ppewatch_ready",
            "1 while every stage beats and the models are ready.",
            value=float(self._source.health().state == "ready"),
        )
        yield from _camera_metrics(self._source.cameras())
        yield from _people_metrics(self._source.people())
        yield from _alert_metrics(self._source.alert_counts())
        yield from _stage_metrics(self._source.stages())
        yield from _worker_metrics(self._source.worker())
        yield from _outbox_metrics(self._source.outbox())
        yield from _webhook_metrics(self._source.webhooks())


def metrics_registry(source: StatusSource, version: str) -> CollectorRegistry:
    """A registry of our own with the daemon's metrics and those of its process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(source, version))
    ProcessCollector(namespace="ppewatch", registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The registry in Prometheus' text format 0.0.4."""
    return generate_latest(registry)


def _camera_metrics(cameras: Sequence[CameraStatus]) -> Iterator[Metric]:
    by_camera = ("camera",)
    state = GaugeMetricFamily(
        "ppewatch_camera_state", "1 for the state that the camera is in.", labels=("camera", "state")
    )
    fps = GaugeMetricFamily(
        "ppewatch_camera_analysed_frames_per_second", "Frames analysed per second.", labels=by_camera
    )
    age = GaugeMetricFamily(
        "ppewatch_camera_last_frame_age_seconds", "Age of the camera's newest frame.", labels=by_camera
    )
    reconnects = CounterMetricFamily(
        "ppewatch_camera_reconnects", "Connections made after the first.", labels=by_camera
    )
    dropped = CounterMetricFamily(
        "ppewatch_camera_dropped_frames", "Decoded frames that were not analysed.", labels=by_camera
    )
    held = CounterMetricFamily(
        "ppewatch_camera_held_looks", "Looks held back because nothing moved.", labels=by_camera
    )
    for camera in cameras:
        name = [camera.camera]
        for known in CAMERA_STATES:
            state.add_metric([camera.camera, known], float(camera.state == known))
        fps.add_metric(name, camera.fps)
        if camera.last_frame_age_s is not None:
            age.add_metric(name, camera.last_frame_age_s)
        reconnects.add_metric(name, camera.reconnects)
        dropped.add_metric(name, camera.dropped_frames)
        held.add_metric(name, camera.held_looks)
    yield from (state, fps, age, reconnects, dropped, held)
    yield from _fitness_metrics(cameras)


def _fitness_metrics(cameras: Sequence[CameraStatus]) -> Iterator[Metric]:
    fitness = GaugeMetricFamily(
        "ppewatch_camera_fitness",
        "1 while this is wrong with the camera, 0 while it is not; none where nobody looks after it.",
        labels=("camera", "code"),
    )
    height = GaugeMetricFamily(
        "ppewatch_camera_head_height_pixels",
        "Median height of heads at the network's input, by zone; an empty zone is the whole picture.",
        labels=("camera", "zone"),
    )
    small = GaugeMetricFamily(
        "ppewatch_camera_heads_too_small_ratio",
        "Part of the heads that were too small for any verdict.",
        labels=("camera", "zone"),
    )
    for camera in cameras:
        wrong = {finding.code for finding in camera.findings}
        for code in Code if camera.fitness != FitnessState.OFF else ():
            fitness.add_metric([camera.camera, code], float(code in wrong))
        for heads in camera.heads:
            if heads.median_px is not None:
                height.add_metric([camera.camera, heads.zone or ""], heads.median_px)
                small.add_metric([camera.camera, heads.zone or ""], heads.too_small)
    yield from (fitness, height, small)


def _people_metrics(people: Sequence[PeopleCount]) -> Iterator[Metric]:
    labels = ("camera", "zone", "gear", "state")
    now = GaugeMetricFamily(
        "ppewatch_people",
        "Persons now by what they wear: worn, missing, incorrect, unknown; an empty zone is the whole camera.",
        labels=labels,
    )
    seconds = CounterMetricFamily(
        "ppewatch_person_seconds", "Person-seconds, from nought again at each shift.", labels=labels
    )
    for count in people:
        place = [count.camera, count.zone or "", count.gear]
        for state, persons, time_s in (
            ("worn", count.with_now, count.worn_s),
            ("missing", count.without_now - count.incorrect_now, count.missing_s),
            ("incorrect", count.incorrect_now, count.incorrect_s),
            ("unknown", count.indeterminate_now, count.unknown_s),
        ):
            now.add_metric([*place, state], persons)
            seconds.add_metric([*place, state], time_s)
    yield from (now, seconds)


def _alert_metrics(counts: Sequence[AlertCount]) -> Iterator[Metric]:
    raised = CounterMetricFamily("ppewatch_alerts", "Alerts since the start.", labels=("camera", "rule"))
    still_open = GaugeMetricFamily("ppewatch_alerts_open", "Alerts that are open.", labels=("camera", "rule"))
    for count in counts:
        raised.add_metric([count.camera, count.rule], count.raised)
        still_open.add_metric([count.camera, count.rule], count.open)
    yield from (raised, still_open)


def _stage_metrics(stages: Sequence[StageStatus]) -> Iterator[Metric]:
    late = GaugeMetricFamily(
        "ppewatch_stage_late", "1 when the stage's last beat is older than its limit.", labels=("stage",)
    )
    age = GaugeMetricFamily(
        "ppewatch_stage_age_seconds", "Age of the stage's last sign of life.", labels=("stage",)
    )
    restarts = CounterMetricFamily(
        "ppewatch_stage_restarts", "Times that another took the stage's place.", labels=("stage",)
    )
    for stage in stages:
        late.add_metric([stage.name], float(stage.late))
        if stage.last_beat_age_s is not None:
            age.add_metric([stage.name], stage.last_beat_age_s)
        restarts.add_metric([stage.name], stage.restarts)
    yield from (late, age, restarts)


def _worker_metrics(worker: WorkerStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "ppewatch_worker_ready", "1 when the models are loaded.", value=float(worker.ready)
    )
    told = {"device": worker.device, "state": worker.state, "reason": worker.reason}
    yield InfoMetricFamily("ppewatch_worker", "Where the models run, and how they are.", told)
    digests = InfoMetricFamily("ppewatch_model", "Digests of the weights in use.", labels=("model",))
    for model, digest in worker.models.items():
        digests.add_metric([model], {"digest": digest})
    yield digests
    yield CounterMetricFamily("ppewatch_worker_frames", "Frames analysed.", value=worker.frames)
    yield CounterMetricFamily("ppewatch_worker_batches", "Batches run.", value=worker.batches)
    yield CounterMetricFamily(
        "ppewatch_worker_failed_batches", "Batches that failed.", value=worker.failed_batches
    )
    if worker.latency_s is not None:
        yield GaugeMetricFamily(
            "ppewatch_worker_latency_seconds",
            "Median time from a frame's reception to its detections.",
            value=worker.latency_s,
        )


def _outbox_metrics(outbox: OutboxStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "ppewatch_broker_connected", "1 while connected to the MQTT broker.", value=float(outbox.connected)
    )
    yield GaugeMetricFamily("ppewatch_outbox_last_seq", "The newest message's number.", value=outbox.last_seq)
    yield GaugeMetricFamily(
        "ppewatch_outbox_pending_messages",
        "Messages that the broker has not acknowledged.",
        value=outbox.pending,
    )
    yield GaugeMetricFamily(
        "ppewatch_outbox_pending_bytes", "Their size with snapshots.", value=outbox.pending_bytes
    )
    yield GaugeMetricFamily(
        "ppewatch_outbox_oldest_pending_age_seconds",
        "Age of the oldest of them, 0 when there is none.",
        value=outbox.oldest_pending_age_s or 0.0,
    )
    yield CounterMetricFamily(
        "ppewatch_outbox_dropped_messages",
        "Messages given up because a limit was reached.",
        value=outbox.dropped,
    )
    yield GaugeMetricFamily(
        "ppewatch_outbox_held_alerts", "Alerts in memory that the disk does not take.", value=outbox.held
    )
    yield CounterMetricFamily(
        "ppewatch_outbox_lost_alerts", "Alerts given up there since the start.", value=outbox.lost
    )


def _webhook_metrics(webhooks: Sequence[WebhookStatus]) -> Iterator[Metric]:
    labels = ("webhook",)
    up = GaugeMetricFamily(
        "ppewatch_webhook_up", "1 unless the webhook's last post failed, or it is gone.", labels=labels
    )
    pending = GaugeMetricFamily(
        "ppewatch_webhook_pending_events", "Events that the webhook has not acknowledged.", labels=labels
    )
    age = GaugeMetricFamily(
        "ppewatch_webhook_oldest_pending_age_seconds",
        "Age of the oldest of them, 0 when there is none.",
        labels=labels,
    )
    delivered = CounterMetricFamily(
        "ppewatch_webhook_delivered_events", "Events that the webhook has acknowledged.", labels=labels
    )
    failed = CounterMetricFamily(
        "ppewatch_webhook_failed_attempts", "Posts that it has not acknowledged.", labels=labels
    )
    dropped = CounterMetricFamily(
        "ppewatch_webhook_dropped_events", "Events given up because a limit was reached.", labels=labels
    )
    for webhook in webhooks:
        name = [webhook.name]
        up.add_metric(name, float(webhook.state not in {"failing", "gone"}))
        pending.add_metric(name, webhook.pending)
        age.add_metric(name, webhook.oldest_pending_age_s or 0.0)
        delivered.add_metric(name, webhook.delivered)
        failed.add_metric(name, webhook.failed_attempts)
        dropped.add_metric(name, webhook.dropped)
    yield from (up, pending, age, delivered, failed, dropped)
