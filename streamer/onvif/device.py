"""Asks a device for its streams: where they are, how large, how many frames a second."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from streamer.onvif.discovery import at_host
from streamer.onvif.errors import OnvifAnswerError, OnvifError, OnvifRefusedError
from streamer.onvif.soap import Login, ask
from streamer.onvif.xml import MEDIA, SCHEMA, elements, first, short

#: Everything that a device is asked takes at most so long together.
TIME_S: Final = 20.0
#: A recorder has some for each of its cameras.
_MOST_PROFILES: Final = 64
_LARGEST_PX: Final = 32_768
#: A clock that says another year is none; near the last year that there is, times could not be reckoned with.
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2200
#: The network's own longest side: a stream of this size shows it all that it can use.
_WORTH_PX: Final = 1280

_TIME: Final = "<tds:GetSystemDateAndTime/>"
_CAPABILITIES: Final = "<tds:GetCapabilities><tds:Category>Media</tds:Category></tds:GetCapabilities>"
_PROFILES: Final = "<trt:GetProfiles/>"
_STREAM: Final = (
    "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP"
    "</tt:Protocol></tt:Transport></trt:StreamSetup><trt:ProfileToken>{token}</trt:ProfileToken></trt:GetStreamUri>"
)


@dataclass(frozen=True, slots=True)
class DeviceStream:
    """One stream of a device, by what the device says.

    - ``url``: without user and password, at the device's own address.
    - ``profile``: what the device calls it; ``source``: its video source, the same for main and sub stream.
    - ``image_hw``: (0, 0) where it does not say; ``fps``: its upper limit, 0.0 likewise.
    """

    url: str
    profile: str
    source: str
    encoding: str
    image_hw: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        height, width = self.image_hw
        size = f"{width}x{height}" if width else "size unknown"
        rate = f", {self.fps:g} frames a second" if self.fps else ""
        return f"{self.profile or 'stream'}: {self.encoding or 'codec unknown'} {size}{rate}"


def streams_of(service: str, user: str, password: str, *, time_s: float = TIME_S) -> list[DeviceStream]:
    """The streams of the device whose device service is at ``service``, those of one video source together, large ones
    first.

    Raises ``OnvifError``: ``OnvifRefusedError`` where the user or password is wrong or missing.
    """
    until_s = time.monotonic() + time_s
    host = urlsplit(service).hostname or ""
    login = Login(user, password, _clock_ahead_s(service, until_s))
    capabilities = ask(service, _CAPABILITIES, login, until_s=until_s)
    media = at_host(first(capabilities, (SCHEMA, "Media"), (SCHEMA, "XAddr")), host)
    if media is None:
        raise OnvifAnswerError("the device has no media service")
    profiles = list(elements(ask(media, _PROFILES, login, until_s=until_s), (MEDIA, "Profiles")))
    found = []
    for profile in profiles[:_MOST_PROFILES]:
        token = short(profile.get("token"))
        if not token:
            continue
        try:
            answer = ask(media, _STREAM.format(token=escape(token)), login, until_s=until_s)
        except OnvifRefusedError:
            raise
        except OnvifError:
            # a profile without video, say; the others may be what is wanted
            continue
        stream = _stream(profile, first(answer, (MEDIA, "MediaUri"), (SCHEMA, "Uri")), host)
        if stream is not None:
            found.append(stream)
    if not found:
        raise OnvifAnswerError("the device names no stream")
    return sorted(found, key=lambda stream: (stream.source, -stream.image_hw[0] * stream.image_hw[1]))


def best_of(streams: Iterable[DeviceStream]) -> DeviceStream:
    """The stream that is worth its decoding: the smallest that shows the network all that it can use, else the largest.

    Raises ``ValueError`` where there is none.
    """
    by_size = sorted(streams, key=lambda stream: max(stream.image_hw))
    if not by_size:
        raise ValueError("there is no stream")
    return next((stream for stream in by_size if max(stream.image_hw) >= _WORTH_PX), by_size[-1])


def _clock_ahead_s(service: str, until_s: float) -> float:
    """How far the device's clock is ahead; 0 where it does not tell: every device tells it without a login."""
    try:
        answer = ask(service, _TIME, Login(), until_s=until_s)
        utc = next(elements(answer, (SCHEMA, "UTCDateTime")), None)
        if utc is None:
            return 0.0
        year, month, day, hour, minute, second = (
            int(first(utc, (SCHEMA, part), (SCHEMA, name)))
            for part, name in (
                ("Date", "Year"),
                ("Date", "Month"),
                ("Date", "Day"),
                ("Time", "Hour"),
                ("Time", "Minute"),
                ("Time", "Second"),
            )
        )
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            return 0.0
        there = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (OnvifRefusedError, OnvifAnswerError, ValueError, OverflowError):
        return 0.0
    return (there - datetime.now(UTC)).total_seconds()


def _stream(profile: Element, uri: str, host: str) -> DeviceStream | None:
    url = _rtsp_at(uri, host)
    if url is None:
        return None
    encoder = next(elements(profile, (SCHEMA, "VideoEncoderConfiguration")), profile)
    width = _number(first(encoder, (SCHEMA, "Resolution"), (SCHEMA, "Width")))
    height = _number(first(encoder, (SCHEMA, "Resolution"), (SCHEMA, "Height")))
    return DeviceStream(
        url=url,
        profile=first(profile, (SCHEMA, "Name"))[:64],
        source=first(profile, (SCHEMA, "VideoSourceConfiguration"), (SCHEMA, "SourceToken"))[:64],
        encoding=first(encoder, (SCHEMA, "Encoding"))[:16],
        image_hw=(height, width) if width and height else (0, 0),
        fps=float(_number(first(encoder, (SCHEMA, "RateControl"), (SCHEMA, "FrameRateLimit")))),
    )


def _rtsp_at(uri: str, host: str) -> str | None:
    """An RTSP address as one at ``host``, without user information; None for what is none.

    Devices tell inner addresses, and a password is to go nowhere but to the device that was chosen.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in {"rtsp", "rtsps"} or re.search(r"\s|\$\{", uri) or not uri.isprintable():
        return None
    shown = f"[{host}]" if ":" in host else host
    network = shown if port is None else f"{shown}:{port}"
    return urlunsplit((parts.scheme.lower(), network, parts.path, parts.query, ""))


def _number(text: str) -> int:
    return (
        int(text)
        if text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) <= _LARGEST_PX
        else 0
    )
