"""Addresses of cameras, with what is secret in them kept apart from what may be shown."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from pydantic import SecretStr

from config.suggestions import did_you_mean

#: Keys of a query whose values are secret, as cameras, recorders and web services spell them, in any case.
SENSITIVE_QUERY_KEY: Final = (
    r"[\w.-]{0,40}(?:passw|passphrase|pwd|psw|token|secret|credential|signature)[\w.-]{0,40}"
    r"|[\w.-]{0,40}(?:api|access)[_-]?key[\w.-]{0,40}"
    r"|[\w.-]{0,40}pass|loginpas|auth|authorization|key|pw|sid|sig|session|session_?id"
)

NETWORK_SCHEMES: Final = ("rtsp", "rtsps", "http", "https")
_SCHEMES: Final = (*NETWORK_SCHEMES, "file")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
#: What was meant as an address of the network, and would pass as the name of a file.
_BROKEN_SCHEME: Final = re.compile(r"\s*(?:rtsp|http)s?[:;/\\]", re.IGNORECASE)
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_SECRET_PAIR: Final = re.compile(
    rf"(?<=[?&;])(?P<key>{SENSITIVE_QUERY_KEY})=(?P<value>[^&#]*)", re.IGNORECASE
)
#: What RFC 3986 allows in user information besides letters and digits; encoding less keeps it short.
_USER_INFO_SAFE: Final = "!$&'()*+,;=-._~"
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.%A-Za-z0-9]+\]|[^\s:@\[\]/?#]+")
_HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class StreamUrl:
    """Where a camera's pictures come from. ``str()`` and ``repr()`` may be shown: secrets in the query are
    hidden.

    - ``scheme``: ``rtsp``, ``rtsps``, ``http``, ``https``; ``file`` for paths, ``webcam`` for
      ``/dev/video0`` or ``webcam:0``.
    - ``host``, ``port``: of network addresses, else None. The port is the scheme's own when none was given.
    - ``address``: the whole, without user and password: the URL, or the path of a file, folder or device.
    """

    address: SecretStr
    scheme: str
    host: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        text = self.address.get_secret_value()
        return hide_query_secrets(text) if self.is_network else text

    def __repr__(self) -> str:
        return f"StreamUrl({str(self)!r})"

    @property
    def is_network(self) -> bool:
        """False for files, folders and devices of this machine."""
        return self.scheme in NETWORK_SCHEMES

    def below(self, folder: Path) -> "StreamUrl":
        """Relative paths made absolute from ``folder``; network addresses stay as they are."""
        if self.scheme != "file":
            return self
        return replace(self, address=SecretStr(str(folder / self.address.get_secret_value())))

    def with_credentials(self, user: str, password: str) -> SecretStr:
        """The address with user and password in it, percent-encoded. Paths stay as they are."""
        text = self.address.get_secret_value()
        match = _SCHEME.fullmatch(text)
        if match is None or not self.is_network or not (user or password):
            return self.address
        credentials = quote(user, safe=_USER_INFO_SAFE)
        if password:
            credentials += ":" + quote(password, safe=_USER_INFO_SAFE)
        return SecretStr(f"{match[1]}://{credentials}@{match[2]}")

    def query_secrets(self) -> frozenset[str]:
        """The secret values in the query, as written and decoded."""
        if not self.is_network:
            return frozenset()
        values = {match["value"] for match in _SECRET_PAIR.finditer(self.address.get_secret_value())}
        return frozenset(value for written in values for value in (written, unquote(written)) if value)


def hide_query_secrets(url: str) -> str:
    """``url`` with the values of secret query keys replaced by ``***``."""
    return _SECRET_PAIR.sub(rf"\g<key>={_HIDDEN}", url)


def parse_stream_url(text: str) -> tuple[StreamUrl, str, str]:
    """The address, and the user and password that stood in it (decoded; empty where there were none).

    The user information ends at the last ``@`` of the authority (RFC 3986, section 3.2, but for a ``@`` in a
    password, which users do write). Raises ``ValueError`` that shows no part of the address but its scheme.
    """
    match = _SCHEME.fullmatch(text)
    if match is None and (_BROKEN_SCHEME.match(text) or "://" in text):
        # as the path of a file it would be shown, with the password that belongs to it
        raise ValueError("the address should begin with its scheme and two slashes, such as 'rtsp://'")
    if match is None:
        webcam = text.startswith(("/dev/video", "webcam:"))
        return StreamUrl(SecretStr(text), "webcam" if webcam else "file"), "", ""
    scheme, rest = match[1].lower(), match[2]
    if scheme not in _SCHEMES:
        raise ValueError(
            f"'{scheme}://' is not supported; use {', '.join(name + '://' for name in NETWORK_SCHEMES)},"
            f" or the path of a file, a folder or a webcam{did_you_mean(scheme, _SCHEMES)}"
        )
    if scheme == "file":
        return StreamUrl(SecretStr(unquote(rest)), "file"), "", ""
    end = _AUTHORITY_END.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    user_info, _, host_port = authority.rpartition("@")
    host, port = _host_and_port(host_port, scheme)
    user, _, password = user_info.partition(":")
    address = StreamUrl(SecretStr(f"{scheme}://{host_port}{tail}"), scheme, host, port)
    return address, unquote(user), unquote(password)


def _host_and_port(text: str, scheme: str) -> tuple[str, int]:
    default_port = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}[scheme]
    match = _HOST.match(text)
    port_text = text[match.end() :] if match else ""
    hint = "; a password with '/', '?' or '#' in it belongs under the key 'password'"
    if match is None:
        raise ValueError(f"the address names no host{hint}")
    if not port_text or port_text == ":":
        return match[0].strip("[]"), default_port
    digits = port_text.removeprefix(":")
    if port_text[0] != ":" or not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ValueError(f"what follows the host is no port{hint}")
    if not 0 < int(digits) < 65536:
        raise ValueError("the port should lie in 1 to 65535")
    return match[0].strip("[]"), int(digits)
