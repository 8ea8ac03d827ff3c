"""Settings of webhooks: HTTP servers that are told of alerts and cameras."""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from config.base import OneOrMore, Settings, Text, bounded
from config.errors import LocatedValueError
from config.quantities import Bytes, Seconds
from config.secret_text import Secret, resolve_secret, surroundings_of
from config.tls import TlsSettings

_MAX_URL_CHARS: Final = 2048
_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+", re.ASCII)
#: Parts of an address that are as long as this may be what makes it secret.
_TELLING_CHARS: Final = 8
#: What Standard Webhooks asks of a signing secret.
_MIN_KEY_BYTES: Final = 24
_MAX_KEY_BYTES: Final = 64
_ENCODED_KEY: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """An address of the web whose path and query are secret: whoever knows them may post there.

    ``str()`` and ``repr()`` show scheme, host and port alone. ``address`` is the whole.
    """

    address: SecretStr
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"WebhookUrl({str(self)!r})"

    def secrets(self) -> frozenset[str]:
        """The address, and those parts of its path and query that may be what makes it secret."""
        address = self.address.get_secret_value()
        parts = urlsplit(address)
        pieces = {*parts.path.split("/"), *re.split(r"[&=;]", parts.query), parts.path.strip("/")}
        telling = {one for piece in pieces for one in (piece, unquote(piece)) if len(one) >= _TELLING_CHARS}
        return frozenset(telling | ({address} if telling else set()))


def parse_webhook_url(text: str) -> WebhookUrl:
    """Raises ``ValueError`` that shows no part of the address."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > _MAX_URL_CHARS:
        raise ValueError(f"an address is at most {_MAX_URL_CHARS} printable ASCII characters without blanks")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is no address such as https://example.org/hook") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("should begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("takes no user or password; use 'token' or 'secret'")
    if not _HOST.fullmatch(host):
        raise ValueError("names no host")
    if parts.fragment:
        raise ValueError("has a part after '#', which is never sent")
    if port == 0:
        raise ValueError("the port should lie in 1 to 65535")
    return WebhookUrl(SecretStr(text), parts.scheme, host, port or (443 if parts.scheme == "https" else 80))


def _as_url(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, WebhookUrl):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("should be an address such as https://example.org/hook")
    return parse_webhook_url(resolve_secret(value.strip(), surroundings_of(info)))


_Url = Annotated[
    WebhookUrl,
    PlainValidator(_as_url),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAX_URL_CHARS}),
]


def signing_key(secret: str) -> bytes:
    """The key that a secret stands for: what follows ``whsec_`` in base64, else the text's own bytes.

    Raises ``ValueError`` unless it has 24 to 64 bytes.
    """
    if secret.startswith(_ENCODED_KEY):
        try:
            key = base64.b64decode(secret.removeprefix(_ENCODED_KEY), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("what follows 'whsec_' should be base64") from None
    else:
        key = secret.encode()
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(
            f"should be {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes, as `openssl rand -base64 32` makes them"
        )
    return key


def _check_key(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        signing_key(value.get_secret_value())
    return value


class WebhookEvent(StrEnum):
    """What a webhook is told."""

    NEW = "new"
    UPDATE = "update"
    END = "end"
    CAMERA = "camera"


class SnapshotForm(StrEnum):
    """How a webhook gets the picture of an alert."""

    NONE = "none"
    LINK = "link"
    EMBED = "embed"


class WebhookSettings(Settings):
    """An HTTP server that is told of alerts and cameras, as Standard Webhooks (https://www.standardwebhooks.com) has
    it: a POST of JSON, signed, tried again until it is answered with 2xx.
    """

    url: _Url = Field(
        description="Where to post: `https://` or `http://`, or where that stands (`${NAME}`, `file:/path`,"
        " `credential:name`), for whoever knows an address may post there. Redirects are not followed."
    )
    enabled: bool = Field(
        default=True, description="Switched off, it is told nothing and nothing waits for it."
    )
    secret: Annotated[Secret, AfterValidator(_check_key)] = Field(
        default=None,
        description="Key of the signature (HMAC-SHA256), 24 to 64 bytes: text, or `whsec_` and base64; or where it"
        " stands.",
    )
    old_secret: Annotated[Secret, AfterValidator(_check_key)] = Field(
        default=None,
        description="The key before `secret`: both sign while the other side goes over to the new one.",
    )
    token: Secret = Field(
        default=None, description="Sent as `Authorization: Bearer TOKEN`; or where it stands."
    )
    events: OneOrMore[WebhookEvent] = Field(
        default=(WebhookEvent.NEW, WebhookEvent.END),
        min_length=1,
        max_length=len(WebhookEvent),
        description="What it is told: `new`, `update` and `end` of alerts, `camera` (a camera's state or fitness"
        " changed).",
    )
    where: OneOrMore[Annotated[Text, Field(min_length=1, max_length=130)]] = Field(
        default=("*",),
        min_length=1,
        max_length=1000,
        description="Of which places: cameras, `camera/zone`, or `*`.",
    )
    rules: OneOrMore[Annotated[Text, Field(min_length=1, max_length=128)]] = Field(
        default=(), max_length=1000, description="Of alerts of which rules, by name; none given: of all."
    )
    snapshot: SnapshotForm = Field(
        default=SnapshotForm.NONE,
        description="The picture of an alert: `none`, `link` (an address below `dashboard`), or `embed` (in the JSON,"
        " in base64).",
    )
    snapshot_bytes: Bytes = bounded(
        default=200_000,
        alias="snapshot_size",
        ge=10_000,
        le=5_000_000,
        description="An embedded picture is made smaller than this, before base64.",
    )
    dashboard: _Url | None = Field(
        default=None,
        description="Where people reach the dashboard, for links to alerts and their pictures.",
    )
    tls: TlsSettings = Field(
        default=TlsSettings(),
        description="Whom to trust at `https://`; the keys of [`tls`](#tls-of-a-camera).",
    )
    proxy: _Url | None = Field(
        default=None,
        description="An HTTP proxy to post through. The environment's (`https_proxy`) is not used.",
    )
    timeout_s: Seconds = bounded(
        default=15.0,
        alias="timeout",
        ge=1,
        le=60,
        description="A post that is not answered within this time has failed.",
    )
    max_age_s: Seconds = bounded(
        default=3 * 86_400.0,
        alias="max_age",
        ge=60,
        le=30 * 86_400,
        description="What has waited for longer is given up, counted and said.",
    )
    max_waiting: int = Field(
        default=10_000,
        ge=10,
        le=100_000,
        description="Most that waits; beyond it updates are given up first, then the oldest, counted and said.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.snapshot is SnapshotForm.LINK and self.dashboard is None:
            raise LocatedValueError([(("dashboard",), "'snapshot: link' needs the dashboard's address")])
        if self.old_secret and not self.secret:
            raise LocatedValueError([(("old_secret",), "is of no use without 'secret'")])
        token = self.token.get_secret_value() if self.token else ""
        if not (token.isascii() and token.isprintable()):
            raise LocatedValueError([(("token",), "holds characters that no header may hold")])
        return self

    def secrets(self) -> frozenset[str]:
        """Every exact value that must not be shown."""
        found = {
            one.get_secret_value() for one in (self.secret, self.old_secret, self.token) if one is not None
        }
        found |= {one.removeprefix(_ENCODED_KEY) for one in found}
        return frozenset(found | self.url.secrets() | (self.proxy.secrets() if self.proxy else frozenset()))
