"""The settings of one site: the root of the tree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, ValidationInfo, model_validator

from config.base import Named
from config.camera import CameraSettings, CommonCameraSettings
from config.cluster import ClusterSettings
from config.errors import LocatedValueError
from config.feedback import FeedbackSettings
from config.merging import merged
from config.rule import RuleSettings
from config.secret_text import surroundings_of
from config.service import (
    HttpSettings,
    InferenceSettings,
    IngestSettings,
    MqttSettings,
    RetentionSettings,
    SiteIdentity,
)
from config.suggestions import did_you_mean
from config.tls import SitePath
from config.webhook import WebhookSettings

#: Keys that may stand at the top for all cameras; a camera's own value wins, key by key inside sections.
INHERITED_KEYS: Final = tuple(
    field.alias or name for name, field in CommonCameraSettings.model_fields.items()
)


@dataclass(frozen=True, slots=True)
class Place:
    """A camera, or a zone of it. ``zone`` None is the whole picture."""

    camera: str
    zone: str | None = None


class SiteSettings(CommonCameraSettings):
    """One site: its cameras, its rules, and what stands around them.

    What a camera inherits is already in the camera: ``site.cameras["gate"].fps``; nobody reads ``site.fps``.
    """

    site: SiteIdentity = Field(description="Which site this is.")
    mqtt: MqttSettings = Field(
        default=MqttSettings(), description="The broker that alerts and states are published to."
    )
    cameras: Named[CameraSettings] = Field(
        min_length=1, max_length=512, description="The cameras by name; the names become MQTT topics."
    )
    rules: tuple[RuleSettings, ...] = Field(
        default=(), max_length=1000, description="Who has to wear what, where and when."
    )
    ingest: IngestSettings = Field(
        default=IngestSettings(), description="What holds for the connections to all cameras together."
    )
    inference: InferenceSettings = Field(
        default=InferenceSettings(), description="The worker that looks at the frames of all cameras."
    )
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="How much is kept in `state_dir`."
    )
    feedback: FeedbackSettings = Field(
        default=FeedbackSettings(), description="What follows from people's verdicts on alerts."
    )
    webhooks: Named[WebhookSettings] = Field(
        default={},
        max_length=32,
        description="HTTP servers that are told of alerts and cameras, by name; see [Webhooks](#webhooks).",
    )
    cluster: ClusterSettings = Field(
        default=ClusterSettings(), description="Machines that share the work of a large site."
    )
    http: HttpSettings = Field(default=HttpSettings(), description="Dashboard, health and metrics.")
    state_dir: SitePath = Field(
        default=Path("state"),
        description="Folder of the outbox, snapshots and exports. By default `$STATE_DIRECTORY`, else"
        " `$XDG_STATE_HOME/ppewatch`, else `~/.local/state/ppewatch`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any, info: ValidationInfo) -> Any:
        """Hand the top's values down to the cameras, and fill in defaults that depend on other values."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        cameras = data.get("cameras")
        if isinstance(cameras, dict):
            common = {key: data[key] for key in INHERITED_KEYS if data.get(key) is not None}
            data["cameras"] = {name: _inherit(camera, common) for name, camera in cameras.items()}
        identity = data.get("site")
        name = identity.get("name") if isinstance(identity, dict) else None
        mqtt = {} if data.get("mqtt") is None else data["mqtt"]
        if isinstance(name, str) and isinstance(mqtt, dict):
            given = {key: value for key, value in mqtt.items() if value is not None}
            data["mqtt"] = {"topic_prefix": f"ppewatch/{name}", "client_id": f"ppewatch-{name}", **given}
        if data.get("state_dir") is None:
            data["state_dir"] = default_state_dir(surroundings_of(info).environ)
        return data

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        problems: list[tuple[tuple[str | int, ...], str]] = []
        for camera_name, camera in self.cameras.items():
            problems += [
                (("cameras", camera_name, "zones", zone), "a zone may not have the name of a camera")
                for zone in camera.zones
                if zone in self.cameras
            ]
        first_use: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            if first_use.setdefault(rule.name, index) != index:
                problems.append((("rules", index, "name"), "another rule has this name already"))
            for position, where in enumerate(rule.where):
                problem = self._problem_of_place(where)
                if problem:
                    problems.append((("rules", index, "where", position), problem))
        for name, webhook in self.webhooks.items():
            for position, where in enumerate(webhook.where):
                problem = self._problem_of_place(where)
                if problem:
                    problems.append((("webhooks", name, "where", position), problem))
            problems += [
                (
                    ("webhooks", name, "rules", position),
                    f"there is no rule '{rule}'{did_you_mean(rule, first_use)}",
                )
                for position, rule in enumerate(webhook.rules)
                if rule not in first_use
            ]
        if problems:
            raise LocatedValueError(problems)
        return self

    def _problem_of_place(self, where: str) -> str | None:
        camera, slash, zone = where.partition("/")
        if camera != "*" and camera not in self.cameras:
            return f"there is no camera '{camera}'{did_you_mean(camera, self.cameras)}"
        if not slash:
            return None
        cameras = self.cameras if camera == "*" else [camera]
        zones = {name for each in cameras for name in self.cameras[each].zones}
        if zone in zones:
            return None
        owner = "no camera" if camera == "*" else f"camera '{camera}'"
        verb = "has a" if camera == "*" else "has no"
        return f"{owner} {verb} zone '{zone}'{did_you_mean(zone, zones)}"

    def places_of(self, rule: RuleSettings) -> tuple[Place, ...]:
        """Every place where ``rule`` holds, each once, in the order of ``where`` and of the cameras."""
        return self.places_at(rule.where)

    def places_at(self, wheres: Iterable[str]) -> tuple[Place, ...]:
        """Every place that ``wheres`` names (cameras, ``camera/zone``, ``*``), each once, in their order."""
        places: dict[Place, None] = {}
        for where in wheres:
            camera, slash, zone = where.partition("/")
            for name in self.cameras if camera == "*" else [camera]:
                if not slash:
                    places[Place(name)] = None
                elif zone in self.cameras[name].zones:
                    places[Place(name, zone)] = None
        return tuple(places)

    def secrets(self) -> frozenset[str]:
        """Every exact value that must not be shown, for redaction."""
        found = {value for camera in self.cameras.values() for value in camera.secrets()}
        others = (self.mqtt.password, self.http.password, self.http.password_hash)
        found |= {secret.get_secret_value() for secret in others if secret}
        found |= {value for webhook in self.webhooks.values() for value in webhook.secrets()}
        return frozenset(found)


def _inherit(camera: Any, common: dict[str, Any]) -> Any:
    if not isinstance(camera, dict):
        return camera
    return merged(common, camera)


def default_state_dir(environ: Mapping[str, str]) -> str:
    """Where a site's state lies when its file does not say: see ``SiteSettings.state_dir``."""
    # systemd may name several folders; the first is the service's own
    from_systemd = environ.get("STATE_DIRECTORY", "").split(":")[0]
    if from_systemd:
        return from_systemd
    home = environ.get("HOME") or str(Path.home())
    return str(Path(environ.get("XDG_STATE_HOME") or Path(home) / ".local" / "state") / "ppewatch")
