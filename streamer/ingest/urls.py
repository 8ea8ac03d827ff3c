"""Addresses of sources: what kind they are, and how to show and use them without telling a secret."""

import re
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

#: Names of query parameters whose value is never shown; matched as a part of the name, lower-case.
SECRET_PARAMETERS: Final = (
    "pass",
    "pwd",
    "psw",
    "token",
    "key",
    "auth",
    "secret",
    "sign",
    "session",
    "user",
    "usr",
    "login",
    "account",
    "credential",
)

#: What RFC 3986 allows in user information besides letters and digits; encoding less keeps it short.
_USERINFO_SAFE: Final = "!$&'()*+,;=-._~"

#: A scheme has two letters or more, so that a Windows drive is a path.
_USUAL_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(?=//)")


class SourceKind(StrEnum):
    """How a source is read."""

    RTSP = "rtsp"
    HTTP = "http"
    FILE = "file"
    WEBCAM = "webcam"


def kind_of(url: str) -> SourceKind:
    """Say how ``url`` is read; a path without a scheme is a file or a folder.

    Raises ``ValueError`` on an empty address or a scheme that is none of ours.
    """
    if not url.strip():
        raise ValueError("the address of the source is empty")
    if url.startswith("/dev/video") or url.startswith("webcam:"):
        return SourceKind.WEBCAM
    match = _SCHEME.match(url)
    if match is None:
        return SourceKind.FILE
    kind = {
        "rtsp": SourceKind.RTSP,
        "rtsps": SourceKind.RTSP,
        "http": SourceKind.HTTP,
        "https": SourceKind.HTTP,
        "file": SourceKind.FILE,
    }.get(match[1].lower())
    if kind is None:
        raise ValueError(
            f"cannot read {match[1]}:// sources; these can be: rtsp, rtsps, http, https, a file, a folder, "
            "/dev/video0"
        )
    if kind is not SourceKind.FILE and not host_of(url):
        raise ValueError(f"{display_url(url)}: names no host")
    return kind


def split_credentials(url: str) -> tuple[str, str | None, str | None]:
    """Take user information out of a URL: the URL without it, the user and the password, percent-decoded.

    A password that holds ``/ ? # @`` unencoded is found as well, as far as it can be told from a path.
    """
    head, userinfo, tail = _partition(url)
    if userinfo is None:
        return url, None, None
    user, colon, password = userinfo.partition(":")
    return head + tail, unquote(user), unquote(password) if colon else None


def with_credentials(url: str, user: str | None, password: str | None) -> str:
    """The URL with user information put in, percent-encoded. To be handed to libav and never shown."""
    if user is None and password is None:
        return url
    scheme, _, rest = url.partition("://")
    userinfo = quote(user or "", safe=_USERINFO_SAFE)
    if password is not None:
        userinfo += ":" + quote(password, safe=_USERINFO_SAFE)
    return f"{scheme}://{userinfo}@{rest}"


def display_url(url: str) -> str:
    """The URL for people: without user information, the values of secret query parameters replaced by
    ``***``.
    """
    head, _, tail = _partition(url)
    if "://" not in head:
        return url
    try:
        parts = urlsplit(head + tail)
    except ValueError:  # a half-written IPv6 address
        return f"{head}..."
    query = re.sub(
        r"([^&;=]+)=([^&;]*)",
        lambda match: match[0] if not _is_secret_name(match[1]) else f"{match[1]}=***",
        parts.query,
    )
    return urlunsplit(parts._replace(query=query))


def secrets_of(url: str, password: str | None) -> frozenset[str]:
    """The secrets of this source, to be hidden by ``streamer.redactor``, which knows their other spellings."""
    query = _bare(url).partition("?")[2]
    found = {value for name, value in parse_qsl(query) if _is_secret_name(name)}
    return frozenset(found | {password} if password else found)


def host_of(url: str) -> str | None:
    """The host that a connection goes to, lower-case, or None for local sources."""
    if _SCHEME.match(url) is None:
        return None
    try:
        return urlsplit(_bare(url)).hostname
    except ValueError:
        return None


def device_of(url: str) -> str | None:
    """Host and port that a connection goes to, or None for local sources."""
    host = host_of(url)
    if host is None:
        return None
    parts = urlsplit(_bare(url))
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{host} {port or _USUAL_PORTS.get(parts.scheme.lower(), '')}"


def _bare(url: str) -> str:
    head, _, tail = _partition(url)
    return head + tail


def _is_secret_name(name: str) -> bool:
    return any(part in name.lower() for part in SECRET_PARAMETERS)


def _partition(url: str) -> tuple[str, str | None, str]:
    """Scheme with ``://``, user information or None, and the rest."""
    match = _SCHEME.match(url)
    if match is None:
        return "", None, url
    head, rest = url[: match.end() + 2], url[match.end() + 2 :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        userinfo, _, _ = authority.rpartition("@")
        return head, userinfo, rest[len(userinfo) + 1 :]
    if "@" in rest and not _is_host_and_port(authority):
        # rtsp://user:pa/ss@host: the password was not encoded, so what looks like the host is half of it.
        userinfo, _, tail = rest.rpartition("@")
        return head, userinfo, tail
    return head, None, rest


def _is_host_and_port(authority: str) -> bool:
    if ":" not in authority:
        return True
    return re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w-]+(\.[\w-]+)+|localhost)(:\d{1,5})?", authority) is not None
