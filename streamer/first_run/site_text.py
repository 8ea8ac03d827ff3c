"""The text of a SITE.yaml, and of the files beside it that hold its passwords."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from config.urls import parse_stream_url
from streamer.first_run.plan import (
    GEAR,
    LATER_ZONE,
    PLAIN_PORT,
    TLS_PORT,
    BrokerPlan,
    CameraPlan,
    Password,
    SecretPlace,
    SitePlan,
)

#: What YAML takes for the same text without quotes.
_PLAIN: Final = re.compile(
    r"/?[A-Za-z][A-Za-z0-9_./-]*(?:://[A-Za-z0-9_./:-]*[A-Za-z0-9_/-])?|[0-9]+(?:\.[0-9]+){3}"
)
_WORDS: Final = frozenset({"true", "false", "null", "on", "off", "yes", "no", "y", "n"})
#: What begins a reference where a password is expected.
_REFERENCE: Final = ("file:", "credential:")


@dataclass(frozen=True, slots=True)
class SiteText:
    """What is to be written.

    - ``yaml``: the text of SITE.yaml; ``holds_secret``: a password stands in it.
    - ``files``: passwords by the name of their file, below ``<stem>.secrets/``.
    - ``variables``: passwords by the name of their environment variable, for ``<stem>.env``.
    - ``zones_later``: there are zones that have yet to be drawn.
    """

    yaml: str = field(repr=False)
    holds_secret: bool = False
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    zones_later: bool = False


def site_text(plan: SitePlan, *, place: SecretPlace, stem: str, today: str) -> SiteText:
    """The text for ``plan``, to be written as ``<stem>.yaml`` with passwords at ``place``.

    Raises ``ValueError`` for a password that cannot stand in YAML itself.
    """
    return _Writer(place, stem).text_of(plan, today)


def env_text(variables: Mapping[str, str]) -> str:
    """Lines that a shell sources (``set -a``) and systemd reads (``EnvironmentFile=``), to the same end.

    Inside of double quotes both take a backslash before these four characters alone, systemd.exec(5) and POSIX.
    """
    lines = ["# Passwords of a ppewatch site. Nobody but their owner may read this."]
    for name, value in variables.items():
        escaped = re.sub(r'([\\"$`])', r"\\\1", value)
        lines.append(f'{name}="{escaped}"')
    return "\n".join(lines) + "\n"


class _Writer:
    def __init__(self, place: SecretPlace, stem: str) -> None:
        self._place = place
        self._stem = stem
        self._files: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        self._holds_secret = False

    def text_of(self, plan: SitePlan, today: str) -> SiteText:
        """Everything, by sections."""
        lines = [
            f"# {plan.name}: written by `ppewatch init` on {today}, to be changed by hand. All keys and defaults:",
            "# docs/configuration.md. Is it right, and does everything answer?  ppewatch check THIS_FILE --connect",
            "",
            "site:",
            f"  name: {scalar(plan.name)}  # stands in every alert and topic",
            f"  timezone: {scalar(plan.timezone)}  # of schedules, shifts and the time on snapshots",
            "",
            *self._broker(plan.broker, plan.name),
            "",
            "cameras:",
        ]
        for camera in plan.cameras:
            lines += self._camera(camera)
        lines += ["", *_rules(plan.cameras), "", *_HTTP]
        return SiteText(
            "\n".join(lines) + "\n",
            self._holds_secret,
            self._files,
            self._variables,
            zones_later=any(camera.zone_later for camera in plan.cameras),
        )

    def _broker(self, broker: BrokerPlan, site: str) -> Iterator[str]:
        yield f"mqtt:  # alerts come on ppewatch/{site}/alerts"
        yield f"  host: {scalar(broker.host)}"
        if broker.port != (TLS_PORT if broker.tls else PLAIN_PORT):
            yield f"  port: {broker.port}"
        yield from self._credentials("  ", broker.user, broker.password, "broker", "MQTT")
        if broker.tls:
            trusted = f"{{ca: {scalar(_unexpanded(broker.ca_file))}}}" if broker.ca_file else "true"
            yield f"  tls: {trusted}"
        yield "  # home_assistant: true  # Home Assistant finds the site by itself"

    def _camera(self, camera: CameraPlan) -> Iterator[str]:
        yield f"  {scalar(camera.name)}:" + (f"  # {camera.seen}" if camera.seen else "")
        variable = re.sub(r"[^A-Z0-9]", "_", camera.name.upper())
        variable = f"CAMERA_{variable}" if variable[0].isdigit() else variable
        yield f"    url: {scalar(self._url(camera.url, variable))}"
        if _is_recording(camera.url):
            yield "    loop: true  # from its beginning at its end, as a camera never ends"
        yield from self._credentials("    ", camera.user, camera.password, f"camera-{camera.name}", variable)
        if camera.input_size_px is not None:
            yield f"    input_size: {camera.input_size_px}  # the network's longest side, for the heads that were seen"
        if camera.zone_later:
            yield "    zones:"
            yield "      # the whole picture, until it is drawn on the dashboard (edit_zones, below) or here:"
            yield "      # corners x,y from 0,0 (top left) to 1,1 (bottom right)"
            yield f'      {LATER_ZONE}: {{coordinates: "0,0, 1,0, 1,1, 0,1", anchor: feet}}'

    def _credentials(
        self, indent: str, user: str, password: Password | None, file: str, variable: str
    ) -> Iterator[str]:
        if user:
            yield f"{indent}user: {scalar(_unreferred(user, 'user name'))}"
        if password is not None:
            yield f"{indent}password: {scalar(self._password(password, file, variable))}"

    def _password(self, password: Password, file: str, variable: str) -> str:
        if password.reference:
            return password.reference
        if self._place is SecretPlace.FILES:
            self._files[file] = password.value
            return f"file:{self._stem}.secrets/{file}"
        if self._place is SecretPlace.ENV:
            return self._variable(f"{variable}_PASSWORD", password.value)
        self._holds_secret = True
        return _unreferred(password.value, "password")

    def _url(self, url: str, variable: str) -> str:
        if "${" in url or not parse_stream_url(url)[0].query_secrets():
            return url
        # an address may refer to the environment, not to a file
        if self._place is SecretPlace.ENV:
            return self._variable(f"{variable}_URL", url)
        self._holds_secret = True
        return url

    def _variable(self, name: str, value: str) -> str:
        free = name
        number = 1
        while free in self._variables:
            number += 1
            free = f"{name}_{number}"
        self._variables[free] = value
        return f"${{{free}}}"


def _rules(cameras: tuple[CameraPlan, ...]) -> Iterator[str]:
    """One rule for all cameras that require the same."""
    places: dict[tuple[str, ...], list[str]] = {}
    for camera in cameras:
        place = f"{camera.name}/{LATER_ZONE}" if camera.zone_later else camera.name
        places.setdefault(camera.require, []).append(place)
    places.pop((), None)
    if not places:
        yield "rules: []  # nothing is required anywhere: cameras are shown, nothing alerts"
        return
    yield "rules:"
    for require, where in places.items():
        yield f"  - name: {' and '.join(f'{GEAR[gear]}s' for gear in require)}"
        yield f"    where: [{', '.join(map(scalar, where))}]"
        yield f"    require: [{', '.join(require)}]"
        yield "    dwell: 2s  # missing for so long before the alert opens"
        yield "    clear: 5s  # worn, or gone, for so long before it closes"
        yield '    # schedule: {days: mon-fri, from: "06:00", to: "18:00"}  # without it the rule always holds'


_HTTP: Final = (
    "http:",
    "  listen: 127.0.0.1:8787  # the dashboard, on this machine alone; wider needs user and password_hash beside it",
    "  # user: manager",
    "  # password_hash: '...'  # ppewatch password",
    "  # edit_zones: true  # zones are drawn on the dashboard, which writes this file; needs user and password_hash",
)


def scalar(text: str) -> str:
    """``text`` as a scalar of YAML, in quotes where it would be read as anything else, or where one must look twice."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    # JSON's strings are YAML's in double quotes; what YAML takes for no character is refused before
    return json.dumps(text, ensure_ascii=False)


def _is_recording(url: str) -> bool:
    """Whether an address is the path of a file, not of a folder or a device."""
    is_path = "://" not in url and "${" not in url and not url.startswith(("/dev/", "webcam:"))
    return is_path and bool(PurePath(url).suffix)


def _unexpanded(text: str) -> str:
    return text.replace("${", "$${")


def _unreferred(text: str, what: str) -> str:
    if text.startswith(_REFERENCE):
        raise ValueError(
            f"a {what} that begins with 'file:' or 'credential:' cannot stand in the YAML itself"
        )
    return _unexpanded(text)
