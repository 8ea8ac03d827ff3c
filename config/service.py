"""Settings of what stands around the cameras: site, broker, inference, storage, web."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from config.base import Name, OneOrMore, Settings, Text, as_written, bounded
from config.errors import LocatedValueError
from config.quantities import Bytes, Seconds
from config.secret_text import Secret
from config.suggestions import did_you_mean
from config.tls import SitePath, TlsSwitch, expanded

_LISTEN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})", re.ASCII)
#: What pydantic takes for a switch that is on.
_SWITCHED_ON: Final = frozenset({"true", "on", "yes", "y", "t", "1"})
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+", re.ASCII)
_ARGON2: Final = re.compile(
    r"\$argon2(?:id|i|d)\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[\w+/]+\$[\w+/]+", re.ASCII
)
_LOOPBACK: Final = re.compile(r"127\.[0-9.]+|::1|localhost")


def _check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        hint = did_you_mean(value, available_timezones())
        raise ValueError(f"is no IANA time zone such as Europe/Brussels or UTC{hint}") from None
    return value


def _check_topic(value: str) -> str:
    if re.search(r"[+#\0]", value) or value.startswith(("/", "$")) or value.endswith("/") or "//" in value:
        raise ValueError(
            "an MQTT prefix has no '+', '#', empty level or '/' at an end, and does not start with '$'"
        )
    return value


class SiteIdentity(Settings):
    """Which site this is."""

    name: Name = Field(
        description="Name of the site; letters, digits, `_` and `-`. It stands in every alert."
    )
    timezone: Annotated[Text, AfterValidator(_check_timezone)] = Field(
        default="UTC",
        min_length=1,
        max_length=64,
        description="IANA time zone of the site, for schedules, shifts and the time on snapshots.",
    )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.timezone)


class Protocol(StrEnum):
    """Versions of MQTT."""

    V3_1_1 = "3.1.1"
    V5 = "5"


class MqttSettings(Settings):
    """The broker that alerts and states are published to."""

    host: Annotated[Text, BeforeValidator(expanded)] = Field(
        default="127.0.0.1", min_length=1, max_length=253, description="Host name or address of the broker."
    )
    port: int = Field(
        default=1883, ge=1, le=65535, description="Port of the broker; 8883 by default with `tls`."
    )
    topic_prefix: Annotated[Text, AfterValidator(_check_topic)] = Field(
        default="ppewatch",
        min_length=1,
        max_length=200,
        description="Everything is published below it; unique for each site. By default `ppewatch/<site"
        " name>`.",
    )
    client_id: Annotated[Text, BeforeValidator(expanded)] = Field(
        default="ppewatch",
        min_length=1,
        max_length=128,
        description="Client id, unique at the broker. By default `ppewatch-<site name>`.",
    )
    user: Secret = Field(default=None, description="User name, when the broker asks for one.")
    password: Secret = Field(
        default=None,
        description="Password, or where it stands: `${NAME}`, `file:/path` or `credential:name`.",
    )
    protocol: Annotated[
        Protocol, BeforeValidator(as_written), WithJsonSchema({"enum": ["3.1.1", "5", 5]}, mode="validation")
    ] = Field(default=Protocol.V3_1_1, description='Version of MQTT: `"3.1.1"` or `"5"`.')
    keepalive_s: Seconds = bounded(
        default=30.0,
        alias="keepalive",
        ge=5,
        le=3600,
        description="Longest silence on the connection; the broker publishes the last will after one and a"
        " half times.",
    )
    stats_s: Seconds = bounded(
        default=60.0,
        alias="stats_interval",
        ge=5,
        le=3600,
        description="Time between two messages on `stats`.",
    )
    commands: bool = Field(
        default=False,
        description="Obey commands below `command/` (reload, cameras on and off, acknowledgement, feedback)."
        " Anybody who may publish there can give them.",
    )
    onvif: bool = Field(
        default=False,
        description="Speak ONVIF's words too: the fitness of cameras below `onvif-ej/VideoSource/` (ImageTooBlurry,"
        " ImageTooDark, ImageTooBright, GlobalSceneChange, SignalLoss), rules that are broken below"
        " `onvif-ej/RuleEngine/`, what is seen at every look below `onvif-mj/VideoAnalytics/`, at QoS 0.",
    )
    home_assistant: bool = Field(
        default=False,
        description="Announce the site and its cameras to Home Assistant (MQTT discovery), so that they appear there by"
        " themselves: connections, people with and without, alerts as events, snapshots; switches with `commands`.",
    )
    home_assistant_prefix: Annotated[Text, AfterValidator(_check_topic)] = Field(
        default="homeassistant",
        min_length=1,
        max_length=100,
        description="Home Assistant's discovery prefix.",
    )
    deepstream: bool = Field(
        default=False,
        description="Publish what is seen at every look below `deepstream/<camera>` too, in the minimal schema of"
        " DeepStream's message converter, at QoS 0.",
    )
    tls: TlsSwitch = Field(
        default=None,
        description="Encrypt the connection: `true` trusts the system's CA certificates; or the keys of"
        " [`tls`](#tls-of-a-camera).",
    )

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("port") is None:
            data = {key: value for key, value in data.items() if key != "port"}
            tls = data.get("tls")
            if isinstance(tls, dict) or str(tls).lower() in _SWITCHED_ON:
                data["port"] = 8883
        return data


class Device(StrEnum):
    """Where the networks run."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """How exactly networks count."""

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"
    INT8 = "int8"


class InferenceSettings(Settings):
    """The worker that looks at the frames of all cameras."""

    device: Device = Field(
        default=Device.AUTO, description="`auto` (a GPU when there is one), `cpu` or `gpu`."
    )
    precision: Precision = Field(
        default=Precision.AUTO,
        description="How exactly networks count: `f32`, `bf16` (half the time where the processor has it), `int8` "
        "(a CPU only, networks that `ppewatch weights export --precision int8` has quantised). `auto`: `bf16` on a CPU "
        "that has it, else `f32`.",
    )
    max_batch: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Most frames that are looked at together on a GPU. A processor looks at one after the other.",
    )
    max_wait_s: Seconds = bounded(
        default=0.03,
        alias="max_wait",
        ge=0,
        le=1,
        description="Longest time that a frame waits for others to share its batch.",
    )
    max_age_s: Seconds = bounded(
        default=1.0,
        alias="max_age",
        ge=0.1,
        le=30,
        description="Frames older than this are dropped and counted, not looked at.",
    )
    retinaface_weights: SitePath | None = Field(
        default=None, description="Weights file of the face detector instead of the one that is installed."
    )
    mask_state_weights: SitePath | None = Field(
        default=None, description="Weights file of the mask classifier instead of the one that is installed."
    )
    maskrcnn_weights: SitePath | None = Field(
        default=None, description="Weights file of the Mask R-CNN instead of the one that is installed."
    )


class IngestSettings(Settings):
    """What holds for the connections to all cameras together."""

    connecting_per_host: int = Field(
        default=2,
        ge=1,
        le=32,
        description="Most connections that are being opened to one host (a recorder with many cameras) at a"
        " time.",
    )


class RetentionSettings(Settings):
    """How much is kept in `state_dir`.

    The oldest goes first; alerts that are dropped before they were sent are counted.
    """

    max_age_s: Seconds = bounded(
        default=30 * 86_400.0,
        alias="age",
        ge=3600,
        le=10 * 365 * 86_400,
        description="Alerts and snapshots are removed after this time.",
    )
    max_bytes: Bytes = bounded(
        default=2_000_000_000,
        alias="bytes",
        ge=10_000_000,
        le=10**14,
        description="Most that alerts and snapshots may take on disk.",
    )
    examples_wait_s: Seconds = bounded(
        default=7 * 86_400.0,
        alias="examples_wait",
        ge=3600,
        le=365 * 86_400,
        description="Frames that are kept for feedback are removed after this time when no verdict has come; those with"
        " one after `age`.",
    )
    max_examples_bytes: Bytes = bounded(
        default=500_000_000,
        alias="examples_bytes",
        ge=1_000_000,
        le=10**14,
        description="Most that frames kept for feedback may take on disk, beside `bytes`.",
    )
    min_free_bytes: Bytes = bounded(
        default=200_000_000,
        alias="keep_free",
        ge=0,
        le=10**14,
        description="Space that is left free on the disk for others.",
    )
    history_s: Seconds = bounded(
        default=400 * 86_400.0,
        alias="history",
        ge=86_400,
        le=10 * 366 * 86_400,
        description="Sums of person-seconds by zone and quarter of an hour, for charts and reports, are removed after"
        " this time. They tell of nobody.",
    )


def _check_host_name(value: str) -> str:
    if not _HOST_NAME.fullmatch(value):
        raise ValueError("should be a host name or an address, without a port")
    return value.lower()


def _check_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("should be an IP address") from None


HostName = Annotated[Text, AfterValidator(_check_host_name), Field(min_length=1, max_length=253)]
IpAddress = Annotated[Text, AfterValidator(_check_address), Field(min_length=2, max_length=45)]


def _check_listen(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or not 0 < int(match[2]) < 65536:
        raise ValueError(
            "should be an address and a port, such as 127.0.0.1:8787, [::1]:8787 or :8787 (all addresses)"
        )
    return value


class HttpSettings(Settings):
    """Dashboard, health and metrics."""

    enabled: bool = Field(default=True, description="Serve HTTP at all.")
    listen: Annotated[Text, AfterValidator(_check_listen)] = Field(
        default="127.0.0.1:8787",
        min_length=2,
        max_length=260,
        description="Address and port. Anything but loopback needs `user` and `password`.",
    )
    user: Secret = Field(default=None, description="User name for HTTP Basic authentication.")
    password: Secret = Field(
        default=None,
        description="Password, or where it stands: `${NAME}`, `file:/path` or `credential:name`.",
    )

    password_hash: Secret = Field(
        default=None,
        description="In place of `password`: its Argon2 hash (`$argon2id$...`, in single quotes), as"
        " `ppewatch password` prints it, or where it stands.",
    )
    hosts: OneOrMore[HostName] = Field(
        default=(),
        max_length=16,
        description="Host names under which the page is asked for, beside those of loopback: that of a proxy, say."
        " Without `user` no other is answered; with it, and none given here, every one.",
    )
    proxies: OneOrMore[IpAddress] = Field(
        default=(),
        max_length=16,
        description="Addresses of proxies before the page, whose `X-Forwarded-For` is believed, so that wrong passwords"
        " are counted by client.",
    )

    edit_zones: bool = Field(
        default=False,
        description="Draw zones and set their rules on the page, which then writes this file. Needs `user`, and that"
        " the daemon may write in the file's folder.",
    )

    @property
    def host(self) -> str:
        """The address to bind; ``0.0.0.0`` where `listen` names none."""
        return self.listen.rpartition(":")[0].strip("[]") or "0.0.0.0"  # noqa: S104 - only with credentials

    @property
    def port(self) -> int:
        """The port to bind."""
        return int(self.listen.rpartition(":")[2])

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.password and self.password_hash:
            raise LocatedValueError([(("password_hash",), "'password' is given too; one is enough")])
        secret = "password_hash" if self.password_hash else "password"
        if bool(self.user) != bool(self.password or self.password_hash):
            key = "user" if self.user else secret
            raise LocatedValueError([((key,), f"'user' and '{secret}' go together")])
        if self.edit_zones and not self.user:
            raise LocatedValueError([(("edit_zones",), "needs 'user' and 'password' beside it")])
        if self.user and ":" in self.user.get_secret_value():
            raise LocatedValueError([(("user",), "HTTP Basic knows no ':' in a user's name")])
        if self.password_hash and not _ARGON2.fullmatch(self.password_hash.get_secret_value()):
            raise LocatedValueError(
                [(("password_hash",), "is no Argon2 hash, as `ppewatch password` prints it")]
            )
        if self.enabled and not self.user and not _LOOPBACK.fullmatch(self.host.lower()):
            raise LocatedValueError(
                [(("listen",), "an address beyond loopback needs 'user' and 'password' beside it")]
            )
        return self
