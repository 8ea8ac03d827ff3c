"""From a site's settings to the arguments of the parts: with ``app`` and the commands the only readers of settings."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, cast

from pydantic import SecretStr

from config import (
    CameraSettings,
    FeedbackSettings,
    HttpSettings,
    MqttSettings,
    RetentionSettings,
    RuleSettings,
    SiteSettings,
    config_revision,
)
from config.fleet import FleetBroker
from config.rule import WEEKDAYS, ScheduleWindow
from models.letterbox import default_input_size, input_hw_for
from models.loading import MODEL_FOR_GEAR, check_weights, installed_models
from models.structures import Gear
from rules import AlertPer, Anchor, AreaPolicy, CameraEngine, Rule, Schedule, ShiftWindow, Zone
from streamer.alerts.broker import Broker, BrokerTls
from streamer.alerts.outbox_history import OutboxLimits
from streamer.alerts.privacy import Blur
from streamer.attention import Attention
from streamer.dialects.home_assistant import AnnouncedCamera, AnnouncedSite
from streamer.feedback.example_store import ExampleLimits
from streamer.fitness.camera_fitness import CameraFitness, FitnessPolicy, codes_named
from streamer.fitness.findings import Code
from streamer.followed import FollowedHeads
from streamer.history.grouping import Shift
from streamer.inference.demand import CameraDemand
from streamer.inference.tiling import TilePolicy, Tiling
from streamer.ingest.motion_gate import MotionGate, MotionPolicy, motion_gates
from streamer.ingest.retry import RetryPolicy
from streamer.ingest.source import Source
from streamer.ingest.tls import SourceTls
from streamer.ingest.urls import SourceKind
from streamer.judging.view import CameraView, Polygon, SnapshotStyle
from streamer.web.credentials import Credentials


def source_of(camera: CameraSettings) -> Source:
    """How a camera is read."""
    return Source(
        url=camera.url.address.get_secret_value(),
        user=_revealed(camera.user),
        password=_revealed(camera.password),
        rtsp_transport=cast(Literal["tcp", "udp"], str(camera.transport)),
        loop=camera.loop,
        folder_fps=camera.fps,
        open_timeout_s=camera.reconnect.connect_timeout_s,
        stall_s=camera.reconnect.stall_s,
        decode_threads=camera.decode.threads,
        skip_frame="NONKEY" if camera.decode.keyframes_only else "AUTO",
        hardware=cast(Literal["auto", "off", "cuda", "vaapi"], str(camera.decode.hardware)),
        tls=SourceTls(
            ca_file=camera.tls.ca_file,
            cert_file=camera.tls.cert_file,
            key_file=camera.tls.key_file,
            verify=not camera.tls.insecure,
        ),
    )


def retry_of(camera: CameraSettings) -> RetryPolicy:
    """When a lost camera is tried again."""
    return RetryPolicy(
        base_s=camera.reconnect.initial_delay_s,
        cap_s=camera.reconnect.max_delay_s,
        floor_s=min(0.2, camera.reconnect.initial_delay_s),
    )


def gates_of(camera: CameraSettings, attention: Attention) -> Callable[[], MotionGate] | None:
    """What holds back looks at a camera while nothing moves; None: nothing does."""
    motion = camera.motion
    if not motion.enabled:
        return None
    policy = MotionPolicy(min_area=motion.min_area, hold_s=motion.hold_s, look_every_s=motion.look_every_s)
    return motion_gates(policy, attention)


def fitness_of(camera_id: str, camera: CameraSettings) -> CameraFitness | None:
    """Who looks after a camera; None: nobody does. Pictures of a folder need not belong together."""
    fitness = camera.fitness
    source = source_of(camera)
    if not fitness.enabled or source.is_folder:
        return None
    ignored = codes_named([str(code) for code in fitness.ignore])
    if source.kind is SourceKind.FILE:
        # a recording that is looped is the same picture again and again
        ignored |= {Code.FROZEN}
    policy = FitnessPolicy(
        wanted_fps=camera.fps,
        ignored=ignored,
        frozen_after_s=fitness.frozen_after_s,
        is_live=source.kind is SourceKind.RTSP,
    )
    return CameraFitness(camera_id, policy)


def models_of(site: SiteSettings, camera_id: str) -> frozenset[str]:
    """Who looks at a camera: the models that it names, else those that its rules need, of those that are installed.

    RetinaFace where that leaves none, so that a camera is never taken for watched while nobody looks.
    """
    named = site.cameras[camera_id].models
    if named is not None:
        wanted = {str(name) for name in named}
    else:
        wanted = {
            MODEL_FOR_GEAR[Gear(str(gear))]
            for rule in site.rules
            if rule.enabled and _zones_of(site, rule, camera_id)
            for gear in rule.require
        }
    return frozenset(wanted & installed_models(weights_of(site))) or frozenset({"retinaface"})


def all_models_of(site: SiteSettings) -> frozenset[str]:
    """Everybody who looks at some camera of the site, also at those that are switched off for now."""
    return frozenset().union(*(models_of(site, camera_id) for camera_id in site.cameras))


def check_usable(site: SiteSettings, *, before: SiteSettings) -> None:
    """Raise ``ValueError`` or ``WeightsError`` when the daemon could not go over to ``site`` from ``before``.

    Makes the parts of each camera for nothing, and reads weights where models or files are others: what is found wrong
    only while cameras are exchanged, or when the models have been given up, cannot be undone.
    """
    for camera_id, camera in site.cameras.items():
        source_of(camera)
        engine_of(site, camera_id)
        view_of(site, camera_id)
    if not all_models_of(site) <= all_models_of(before) or weights_of(site) != weights_of(before):
        check_weights_of(site)


def check_weights_of(site: SiteSettings) -> None:
    """Raise the ``WeightsError`` that loading the site's models would raise, as far as the files tell."""
    check_weights(all_models_of(site), weights_of(site))


def tiling_of(camera: CameraSettings, heads: FollowedHeads | None = None) -> Tiling | None:
    """Which parts of a camera's pictures are looked at too; None: the whole pictures alone.

    ``heads`` is what the judging says of those who are followed.
    """
    tiles = camera.tiles
    columns, rows = tiles.grid
    policy = TilePolicy(
        columns=columns,
        rows=rows,
        overlap=tiles.overlap,
        follow=tiles.follow,
        head_px=tiles.head_px,
        most_heads=tiles.most_heads,
    )
    return None if policy.is_plain else Tiling(policy, heads)


def demand_of(site: SiteSettings, camera_id: str, heads: FollowedHeads | None = None) -> CameraDemand:
    """What a camera asks of the inference; ``heads`` as for ``tiling_of``."""
    camera = site.cameras[camera_id]
    return CameraDemand(
        camera_id=camera_id,
        fps=camera.fps,
        priority=str(camera.priority),
        longest_side_px=camera.input_size_px,
        models=models_of(site, camera_id),
        tiling=tiling_of(camera, heads),
    )


def engine_of(site: SiteSettings, camera_id: str) -> CameraEngine:
    """The rules that hold at a camera."""
    camera = site.cameras[camera_id]
    return CameraEngine(
        camera_id,
        zones=[Zone(name, zone.polygon_xy, Anchor(str(zone.anchor))) for name, zone in camera.zones.items()],
        rules=[
            rule_of(settings, zones)
            for settings in site.rules
            if settings.enabled and (zones := _zones_of(site, settings, camera_id))
        ],
        timezone=site.site.timezone,
    )


def rule_of(settings: RuleSettings, zones: tuple[str | None, ...]) -> Rule:
    """One rule as it holds in ``zones`` of one camera (None: in the whole picture)."""
    return Rule(
        name=settings.name,
        require=tuple(Gear(str(gear)) for gear in settings.require),
        zones=zones,
        dwell_s=settings.dwell_s,
        clear_s=settings.clear_s,
        cooldown_s=settings.cooldown_s,
        update_s=settings.update_s,
        schedule=_schedule_of(settings),
        allow_incorrect="incorrect" in settings.allow,
        alert_per=AlertPer(str(settings.alert_per)),
    )


def view_of(site: SiteSettings, camera_id: str) -> CameraView:
    """What a camera's alerts show."""
    camera = site.cameras[camera_id]
    snapshots = camera.snapshots
    return CameraView(
        camera_id=camera_id,
        site=site.site.name,
        topic_prefix=site.mqtt.topic_prefix,
        config_revision=config_revision(site),
        snapshots=SnapshotStyle(
            enabled=snapshots.enabled,
            max_bytes=snapshots.max_bytes,
            longest_side_px=snapshots.longest_side_px,
            quality=snapshots.quality,
            timezone=site.site.timezone if snapshots.timestamp else None,
            blur=Blur(str(camera.privacy.blur)),
        ),
        zone_polygons={name: zone.polygon_xy for name, zone in camera.zones.items()},
        privacy_polygons=tuple(camera.privacy.polygons),
        severities={rule.name: str(rule.severity) for rule in site.rules},
    )


def zone_outlines_of(site: SiteSettings) -> dict[str, dict[str, Polygon]]:
    """The zones of every camera by name."""
    return {
        camera_id: {name: zone.polygon_xy for name, zone in camera.zones.items()}
        for camera_id, camera in site.cameras.items()
    }


def shifts_of(site: SiteSettings) -> list[Shift]:
    """The different schedules of the site's rules, each named by its windows; rules that always hold give none."""
    shifts: dict[Schedule, str] = {}
    for rule in site.rules:
        if rule.enabled and rule.schedule:
            shifts.setdefault(_schedule_of(rule), schedule_text(rule))
    return [Shift(name, schedule) for schedule, name in shifts.items()]


def schedule_text(rule: RuleSettings) -> str:
    """When a rule holds, in words; empty: always."""
    return ", ".join(map(_window_text, rule.schedule))


def alert_sources_of(site: SiteSettings) -> set[tuple[str, str]]:
    """Every camera with the names of the rules that hold at it, or in a zone of it."""
    return {
        (place.camera, rule.name) for rule in site.rules if rule.enabled for place in site.places_of(rule)
    }


def counted_places_of(site: SiteSettings) -> set[tuple[str, str | None]]:
    """Camera and zone wherever people are counted for a rule; these cameras are counted as a whole (None) too."""
    return {
        (place.camera, zone)
        for rule in site.rules
        if rule.enabled
        for place in site.places_of(rule)
        for zone in (None, place.zone)
    }


def announced_site_of(site: SiteSettings, version: str) -> AnnouncedSite:
    """The site as others find it by themselves: its cameras, what rules ask for at them, and in which zones."""
    cameras = []
    for camera_id in site.cameras:
        rules = [
            (rule, zones)
            for rule in site.rules
            if rule.enabled and (zones := _zones_of(site, rule, camera_id))
        ]
        cameras.append(
            AnnouncedCamera(
                name=camera_id,
                gear=tuple(dict.fromkeys(str(gear) for rule, _ in rules for gear in rule.require)),
                zones=tuple(dict.fromkeys(zone for _, zones in rules for zone in zones if zone is not None)),
            )
        )
    return AnnouncedSite(
        name=site.site.name,
        version=version,
        topic_prefix=site.mqtt.topic_prefix,
        discovery_prefix=site.mqtt.home_assistant_prefix,
        cameras=cameras,
        commands=site.mqtt.commands,
    )


def expected_input_sizes(site: SiteSettings) -> list[tuple[int, int]]:
    """Input sizes (H, W) to prepare before the first frame is there: those of 1080p cameras, by far the most usual.

    Cameras of other sizes are prepared for when their first frame comes.
    """
    full_hd_hw = (1080, 1920)
    wanted_px = {
        camera.input_size_px or default_input_size(full_hd_hw)
        for camera in site.cameras.values()
        if camera.enabled and camera.url.is_network
    }
    return [input_hw_for(full_hd_hw, longest_px) for longest_px in sorted(wanted_px)]


def broker_of(mqtt: MqttSettings) -> Broker:
    """How the broker is reached."""
    tls = mqtt.tls
    return Broker(
        host=mqtt.host,
        port=mqtt.port,
        user=_revealed(mqtt.user),
        password=_revealed(mqtt.password),
        tls=None
        if tls is None
        else BrokerTls(
            ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file, insecure=tls.insecure
        ),
        protocol=cast(Literal["3.1.1", "5"], str(mqtt.protocol)),
        keepalive_s=round(mqtt.keepalive_s),
    )


def fleet_broker_of(broker: FleetBroker) -> Broker:
    """How a fleet's broker is reached."""
    tls = broker.tls
    return Broker(
        host=broker.host,
        port=broker.port,
        user=_revealed(broker.user),
        password=_revealed(broker.password),
        tls=None
        if tls is None
        else BrokerTls(
            ca_file=tls.ca_file, cert_file=tls.cert_file, key_file=tls.key_file, insecure=tls.insecure
        ),
    )


def web_credentials_of(http: HttpSettings) -> Credentials | None:
    """Who may see the status page; None: everybody who reaches it."""
    if http.user is None:
        return None
    return Credentials(
        http.user.get_secret_value(),
        password=_revealed(http.password) or "",
        password_hash=_revealed(http.password_hash) or "",
    )


def outbox_limits_of(retention: RetentionSettings) -> OutboxLimits:
    """How much the outbox keeps; what waits for the broker may take as much as what it has taken."""
    return OutboxLimits(
        acked_age_s=retention.max_age_s,
        acked_bytes=retention.max_bytes,
        backlog_bytes=retention.max_bytes,
        min_free_bytes=retention.min_free_bytes,
    )


def keeps_examples(site: SiteSettings) -> bool:
    """Whether the frames of alerts are kept: a verdict must be able to come, by a command or from the dashboard."""
    can_come = site.mqtt.commands or (site.http.enabled and site.http.user is not None)
    return site.feedback.examples and can_come


def example_limits_of(retention: RetentionSettings) -> ExampleLimits:
    """How many frames are kept for a verdict, and for how long."""
    return ExampleLimits(
        wait_s=retention.examples_wait_s,
        age_s=retention.max_age_s,
        max_bytes=retention.max_examples_bytes,
        min_free_bytes=retention.min_free_bytes,
    )


def area_policy_of(feedback: FeedbackSettings) -> AreaPolicy:
    """When false alarms make a suppression area, and for how long."""
    return AreaPolicy(
        false_alarms=feedback.suppress_after,
        within_s=feedback.suppress_within_s,
        lasts_s=feedback.suppress_for_s,
    )


def weights_of(site: SiteSettings) -> Mapping[str, Path]:
    """Weights files that the site names in place of those installed."""
    named = {
        "retinaface": site.inference.retinaface_weights,
        "mask_state": site.inference.mask_state_weights,
        "maskrcnn": site.inference.maskrcnn_weights,
    }
    return {name: path for name, path in named.items() if path is not None}


def _window_text(window: ScheduleWindow) -> str:
    """``mon-fri 06:00-18:00``, ``daily 22:00-06:00``."""
    runs: list[list[int]] = []
    for day in window.days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    days = ",".join(
        WEEKDAYS[run[0]] if len(run) == 1 else f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}" for run in runs
    )
    if len(window.days) == len(WEEKDAYS):
        days = "daily"
    return f"{days} {window.starts_at:%H:%M}-{window.ends_at:%H:%M}"


def _schedule_of(settings: RuleSettings) -> Schedule:
    return Schedule(
        tuple(ShiftWindow(window.days, window.starts_at, window.ends_at) for window in settings.schedule)
    )


def _zones_of(site: SiteSettings, rule: RuleSettings, camera_id: str) -> tuple[str | None, ...]:
    return tuple(place.zone for place in site.places_of(rule) if place.camera == camera_id)


def _revealed(secret: SecretStr | None) -> str | None:
    """The value, at the last moment before it is used."""
    return None if secret is None else secret.get_secret_value()
