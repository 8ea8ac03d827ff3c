"""What a first SITE.yaml is to say, once everything has been asked."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from config.base import MAX_NAME_CHARS, NAME_PATTERN
from config.secret_text import expand_variables
from config.urls import hide_query_secrets, parse_stream_url

#: What rules can require, and how it is said.
GEAR: Final = {"hard_hat": "hard hat", "face_mask": "face mask"}

#: The zone that a camera gets whose zones are drawn later.
LATER_ZONE: Final = "area"

_HOST: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:]{2,45}", re.ASCII)
_HOST_AND_PORT: Final = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:]+)\]|(?P<host>[^:\s\[\]]*))(?::(?P<port>[0-9]{1,5}))?"
)
_BROKER_SCHEME: Final = re.compile(r"mqtt(?P<tls>s?)://", re.I)
#: Usual ports of MQTT, without and with TLS.
PLAIN_PORT: Final = 1883
TLS_PORT: Final = 8883

LONGEST_PASSWORD: Final = 1024


class SecretPlace(StrEnum):
    """Where passwords stand: a file each, one file of environment variables, or SITE.yaml itself."""

    FILES = "files"
    ENV = "env"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Password:
    """A password. ``value`` is what is sent; ``reference`` is how SITE.yaml shall name it (``${NAME}``, ``file:/path``,
    ``credential:name``), empty where it is to be stored.
    """

    value: str = field(repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlan:
    """The broker, and how to log in there. ``ca_file``: an absolute path, with ``tls`` alone."""

    host: str = "127.0.0.1"
    port: int = PLAIN_PORT
    tls: bool = False
    ca_file: str = ""
    user: str = ""
    password: Password | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPlan:
    """One camera.

    - ``url``: as SITE.yaml is to say it, without user and password.
    - ``require``: keys of ``GEAR``, none: it is shown and never alerts.
    - ``zone_later``: its rule holds in a zone, at first the whole picture, that is drawn later.
    - ``input_size_px``: the network's longest side, None: by the picture's size.
    - ``seen``: what its stream was when it was tried, for people.
    """

    name: str
    url: str
    user: str = ""
    password: Password | None = None
    require: tuple[str, ...] = tuple(GEAR)[:1]
    zone_later: bool = False
    input_size_px: int | None = None
    seen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePlan:
    """All of it."""

    name: str
    timezone: str = "UTC"
    broker: BrokerPlan = BrokerPlan()
    cameras: tuple[CameraPlan, ...] = ()

    @property
    def has_loose_passwords(self) -> bool:
        """Whether there are passwords that stand nowhere yet."""
        return any(not password.reference for password in self._passwords())

    def passwords(self) -> frozenset[str]:
        """Every password, for redaction."""
        return frozenset(password.value for password in self._passwords())

    def masked(self) -> Self:
        """The same with ``***`` for every password that stands nowhere yet, and for what is secret in addresses."""
        cameras = tuple(
            replace(camera, password=_masked(camera.password), url=hide_query_secrets(camera.url))
            for camera in self.cameras
        )
        return replace(
            self, broker=replace(self.broker, password=_masked(self.broker.password)), cameras=cameras
        )

    def _passwords(self) -> list[Password]:
        found = (self.broker.password, *(camera.password for camera in self.cameras))
        return [password for password in found if password is not None]


def _masked(password: Password | None) -> Password | None:
    return password if password is None or password.reference else Password("***")


@dataclass(frozen=True, slots=True)
class Address:
    """A camera's address, taken apart: ``url`` without user and password, and those that stood in it.

    One with variables stays whole; ``has_login`` tells of both kinds whether there is a user or a password in it.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    has_login: bool = False

    @classmethod
    def parse(cls, text: str, environ: Mapping[str, str] | None = None) -> Self:
        """Raises ``ValueError``, in words that show nothing of the address but its scheme."""
        text = text.strip()
        if not text:
            raise ValueError("an address is needed, such as rtsp://10.0.10.10:554/stream")
        if not text.isprintable() or len(text) > 2048:
            raise ValueError("the address holds a character that none can have, or is too long")
        if "${" in text:
            _, user, password = parse_stream_url(
                expand_variables(text, os.environ if environ is None else environ)
            )
            return cls(text, has_login=bool(user or password))
        url, user, password = parse_stream_url(text)
        return cls(url.address.get_secret_value(), user, password, bool(user or password))


def below(url: str, folder: Path) -> str:
    """``url`` with the path of a file or folder made absolute from ``folder``; other addresses as they are."""
    if "://" in url or "${" in url or url.startswith(("/dev/video", "webcam:")):
        return url
    return str((folder / Path(url).expanduser()).absolute())


def checked_name(text: str) -> str:
    """``text`` as a name of a site or a camera. Raises ``ValueError``."""
    text = text.strip()
    if not re.fullmatch(NAME_PATTERN, text) or len(text) > MAX_NAME_CHARS:
        raise ValueError(f"a name takes letters, digits, '_' and '-', at most {MAX_NAME_CHARS}")
    return text


def checked_secret(text: str, what: str = "a password") -> str:
    """``text`` as a user name or a password. Raises ``ValueError`` that does not show it."""
    if not text.isprintable():
        raise ValueError(f"{what} cannot hold a character that is not shown, such as a line end")
    if len(text) > LONGEST_PASSWORD:
        raise ValueError(f"{what} has at most {LONGEST_PASSWORD} characters")
    return text


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is. ``port``: None where none is given. ``tls``: it says ``mqtts://``, so the connection is
    encrypted whatever else is answered.
    """

    host: str
    port: int | None = None
    tls: bool = False

    def port_with(self, *, tls: bool) -> int:
        """The port that is given, or the usual one."""
        return self.port or (TLS_PORT if tls else PLAIN_PORT)


def broker_address(text: str) -> BrokerAddress:
    """``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``, with ``mqtt://`` or ``mqtts://`` before it. Raises ``ValueError``."""
    text = text.strip()
    scheme = _BROKER_SCHEME.match(text)
    text = text[scheme.end() if scheme else 0 :].rstrip("/")
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    match = _HOST_AND_PORT.fullmatch(text)
    host = (match["ipv6"] or match["host"]) if match else ""
    if match is None or not host or not _HOST.fullmatch(host):
        raise ValueError(
            "should be a host name or an address, with a port or without: 10.0.0.5, broker.local:1883"
        )
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError("the port should lie in 1 to 65535")
    return BrokerAddress(host, port, tls=bool(scheme and scheme["tls"]))


def gear_named(text: str) -> tuple[str, ...]:
    """Keys of ``GEAR`` in ``hard_hat,face_mask``; ``both`` and ``none`` are words for them. Raises ``ValueError``."""
    words = [word.strip().lower().replace("-", "_").replace(" ", "_") for word in text.split(",")]
    if words == ["none"]:
        return ()
    if words == ["both"]:
        return tuple(GEAR)
    unknown = [word for word in words if word not in GEAR]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(GEAR)}, both, none")
    return tuple(gear for gear in GEAR if gear in words)


def free_name(wanted: str, taken: frozenset[str]) -> str:
    """``wanted`` made a name that is not ``taken``: ``camera``, ``camera-2``."""
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted).strip("-")[: MAX_NAME_CHARS - 4] or "camera"
    if base not in taken:
        return base
    return next(name for number in range(2, 10_000) if (name := f"{base}-{number}") not in taken)
