"""What is allowed in a site file, yet hardly meant: warnings for ``ppewatch check`` and the daemon."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config.camera import CameraSettings
from config.document import Document, read_document
from config.errors import ConfigProblem
from config.nodes import KeyPath, Mark, dotted
from config.site import SiteSettings
from config.tls import TlsSettings
from config.urls import parse_stream_url

_Finding = tuple[KeyPath, str]
_REFERENCE: Final = re.compile(r"(file|credential):|.*\$\{", re.DOTALL)
_LOOPBACK: Final = re.compile(r"127\.[0-9.]+|::1|localhost")


def site_warnings(path: str | Path, settings: SiteSettings) -> tuple[ConfigProblem, ...]:
    """Warnings on the site file at ``path`` from which ``settings`` were loaded, in the order of the file.

    Raises ``ConfigError`` when the file can no longer be read.
    """
    path = Path(path)
    document = read_document(path)
    found = (
        *_plain_secrets(document, path),
        *_broker(settings),
        *_cameras(settings),
        *_rules(settings),
        *_webhooks(settings),
    )
    return tuple(sorted((_problem(document, *finding) for finding in found), key=_order))


def _order(problem: ConfigProblem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0


def _problem(document: Document, key: KeyPath, message: str) -> ConfigProblem:
    mark = next(
        (document.values[key[:end]] for end in range(len(key), -1, -1) if key[:end] in document.values),
        Mark(1, 1),
    )
    return ConfigProblem(document.file, message, dotted(key), mark.line, mark.column)


def _plain_secrets(document: Document, path: Path) -> Iterator[_Finding]:
    readable = path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    if not readable:
        return
    advice = (
        "can be read by other users of this machine; use ${NAME}, file:, credential:, or chmod 600 this file"
    )
    sections: list[tuple[KeyPath, object]] = [((key,), document.data.get(key)) for key in ("mqtt", "http")]
    cameras = document.data.get("cameras")
    if isinstance(cameras, dict):
        sections += [(("cameras", name), camera) for name, camera in cameras.items()]
    webhooks = document.data.get("webhooks")
    for name, webhook in webhooks.items() if isinstance(webhooks, dict) else ():
        for secret in ("url", "secret", "old_secret", "token"):
            written = webhook.get(secret) if isinstance(webhook, dict) else None
            if written is not None and not _REFERENCE.match(str(written)):
                yield ("webhooks", name, secret), f"this {secret} {advice}"
    for key, section in sections:
        if not isinstance(section, dict):
            continue
        password, url = section.get("password"), section.get("url")
        if password is not None and not _REFERENCE.match(str(password)):
            yield (*key, "password"), f"this password {advice}"
        if isinstance(url, str) and not _REFERENCE.match(url) and _holds_secret(url):
            yield (*key, "url"), f"the credentials in this address {advice}"


def _holds_secret(url: str) -> bool:
    try:
        address, user, password = parse_stream_url(url.strip())
    except ValueError:
        return False
    return bool(user or password or address.query_secrets())


def _broker(settings: SiteSettings) -> Iterator[_Finding]:
    mqtt = settings.mqtt
    if mqtt.user and mqtt.password and not mqtt.tls and not _LOOPBACK.fullmatch(mqtt.host.lower()):
        yield ("mqtt", "password"), "is sent to the broker in clear; set 'tls: true' if the broker can"
    if mqtt.password and not mqtt.user:
        yield ("mqtt", "password"), "is not sent without 'user' beside it"
    if mqtt.tls and mqtt.tls.insecure:
        yield ("mqtt", "tls", "insecure"), "anyone who can redirect the connection can pose as the broker"
    if mqtt.tls:
        yield from _tls_files(("mqtt", "tls"), mqtt.tls)


def _webhooks(settings: SiteSettings) -> Iterator[_Finding]:
    for name, webhook in settings.webhooks.items():
        key = ("webhooks", name)
        if not webhook.secret and not webhook.token:
            yield key, "nothing tells the other side that we are who posts; set 'secret' or 'token'"
        if webhook.url.scheme == "http" and not _LOOPBACK.fullmatch(webhook.url.host.lower()):
            yield (
                (*key, "url"),
                "what is posted can be read and changed on the way; use https:// if the other side can",
            )
        if webhook.tls.insecure:
            yield (
                (*key, "tls", "insecure"),
                "anyone who can redirect the connection can pose as the other side",
            )
        if webhook.url.scheme == "https":
            yield from _tls_files((*key, "tls"), webhook.tls)


def _tls_files(key: KeyPath, tls: TlsSettings) -> Iterator[_Finding]:
    for name, path in (("ca", tls.ca_file), ("cert", tls.cert_file), ("key", tls.key_file)):
        if path is None:
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield (*key, name), f"{path}: {(error.strerror or 'cannot be used').lower()}"
            continue
        if name == "key" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield (*key, name), f"{path} is open to other users of this machine; chmod 600 it"


def _camera_tls(name: str, camera: CameraSettings) -> Iterator[_Finding]:
    if camera.url.scheme not in {"rtsps", "https"}:
        return
    if camera.tls.insecure:
        yield (
            ("cameras", name, "tls", "insecure"),
            "anyone who can redirect the connection can show other pictures and read the password",
        )
    yield from _tls_files(("cameras", name, "tls"), camera.tls)


def _cameras(settings: SiteSettings) -> Iterator[_Finding]:
    places = [place for rule in settings.rules if rule.enabled for place in settings.places_of(rule)]
    watched = {place.camera for place in places}
    for name, camera in settings.cameras.items():
        if camera.loop and camera.url.is_network:
            yield ("cameras", name, "loop"), "has no effect on a stream; it is for video files"
        if camera.enabled and name not in watched:
            yield ("cameras", name), "no rule watches this camera: it will be analysed, and never alert"
        yield from _camera_tls(name, camera)
        columns, rows = camera.tiles.grid
        if columns != rows:
            yield (
                ("cameras", name, "tiles", "grid"),
                "tiles of another shape than the picture leave part of the input empty; use as many rows as columns",
            )
        for zone in camera.zones:
            in_zone = any(place.camera == name and place.zone == zone for place in places)
            if name in watched and not in_zone:
                yield ("cameras", name, "zones", zone), "no rule watches this zone"


def _rules(settings: SiteSettings) -> Iterator[_Finding]:
    if not any(rule.enabled for rule in settings.rules):
        yield ("rules",), "there is no rule that is switched on: nothing will ever alert"
    for index, rule in enumerate(settings.rules):
        cameras = [
            settings.cameras[name]
            for name in dict.fromkeys(place.camera for place in settings.places_of(rule))
        ]
        if rule.enabled and not any(camera.enabled for camera in cameras):
            yield ("rules", index, "where"), "every camera of this rule is switched off"
        slowest = min(camera.fps for camera in cameras)
        if rule.dwell_s < 2 / slowest:
            yield (
                ("rules", index, "dwell"),
                f"{rule.dwell_s:g} s is less than two frames at {slowest:g} fps: a single look may decide",
            )
