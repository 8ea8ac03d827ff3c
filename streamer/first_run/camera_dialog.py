"""What is asked about cameras: found on the network or named, each is tried and shown."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from streamer.commands.background import in_background
from streamer.first_run.console import Console
from streamer.first_run.credentials_dialog import ask_password, ask_user
from streamer.first_run.pictures import Pictures
from streamer.first_run.plan import Address, CameraPlan, Password, below, checked_name, free_name
from streamer.first_run.terminal_picture import in_terminal
from streamer.first_run.trying import CameraLook, try_camera
from streamer.onvif.device import TIME_S, DeviceStream, best_of, streams_of
from streamer.onvif.discovery import FoundDevice, discover
from streamer.onvif.errors import OnvifError, OnvifRefusedError
from streamer.redaction import install_redaction, redact

_GEAR_CHOICES: Final = {
    ("hard_hat",): "hard hats",
    ("face_mask",): "face masks",
    ("hard_hat", "face_mask"): "both",
    (): "nothing: it is shown, and never alerts",
}
_PLACE_CHOICES: Final = {
    False: "in the whole picture",
    True: "in a zone, which is drawn later (until then: the whole picture)",
}
_AFTER_FAILURE: Final = {
    "change": "change the address, user or password",
    "keep": "take it as it is; it may answer later",
    "leave": "leave this camera out",
}


class CameraDialog:
    """Asks for cameras until there are enough. ``find``: who is there on the network."""

    def __init__(
        self,
        console: Console,
        pictures: Pictures,
        environ: Mapping[str, str],
        *,
        ask_network: bool = False,
        find: Callable[[], list[FoundDevice]] = discover,
    ) -> None:
        self._console = console
        self._pictures = pictures
        self._environ = dict(environ)
        self._ask_network = ask_network
        self._find = find
        self._cameras: list[CameraPlan] = []
        self._found: list[FoundDevice] = []

    def ask_all(self, given: tuple[CameraPlan, ...] = ()) -> tuple[CameraPlan, ...]:
        """At least one camera; those ``given`` are tried, and no others asked for."""
        for camera in given:
            self._add(camera)
        if given and self._cameras:
            return tuple(self._cameras)
        question = "Ask this network for ONVIF cameras, for 3 seconds?"
        if self._ask_network or self._console.yes(question, default=False):
            self._look_around()
        while (asked := self._ask_one()) is not None or not self._cameras:
            if asked is None:
                self._console.say("  a site has at least one camera")
            else:
                self._add(asked)
                self._console.say()
        return tuple(self._cameras)

    def _look_around(self) -> None:
        try:
            self._found = in_background(self._find).result()
        except OnvifError as error:
            self._console.say(f"  {error}")
        if not self._found:
            self._console.say(
                "  nobody answers; cameras of other networks, or with ONVIF off, are named by address"
            )
        for number, device in enumerate(self._found, 1):
            self._console.say(f"  {number}  {device}")

    def _ask_one(self) -> CameraPlan | None:
        """The next camera, not tried yet; None: there are no more."""
        which = "the first" if not self._cameras else "the next"
        listed = ", or its number above" if self._found else ""
        enter = " (Enter: no more)" if self._cameras else ""
        chosen = self._console.ask(f"Address of {which} camera{listed}{enter}", self._address_or_device)
        if chosen is None:
            return None
        if isinstance(chosen, FoundDevice):
            return self._camera_of(chosen)
        plan = self._drafted(chosen, chosen.url)
        return plan if chosen.has_login or "://" not in plan.url else self._with_credentials(plan)

    def _address_or_device(self, text: str) -> Address | FoundDevice | None:
        if not text:
            return None
        if text.isdecimal() and self._found:
            if not 1 <= int(text) <= len(self._found):
                raise ValueError(f"a number from 1 to {len(self._found)}, or an address")
            return self._found[int(text) - 1]
        return self._parsed(text)

    def _parsed(self, text: str) -> Address:
        return Address.parse(text, self._environ)

    def _with_credentials(self, plan: CameraPlan) -> CameraPlan:
        """``plan`` with user and password, as those of the camera before it, or asked for."""
        before = next((camera for camera in reversed(self._cameras) if camera.user), None)
        if before is not None and not plan.user:
            question = f"The user and password of {before.name} ({before.user}) for it too?"
            if self._console.yes(question, default=True):
                return replace(plan, user=before.user, password=before.password)
        user = ask_user(self._console, "User at the camera", default=plan.user)
        password = ask_password(self._console, f"Password of {user}") if user else None
        return replace(plan, user=user, password=password)

    def _camera_of(self, device: FoundDevice) -> CameraPlan | None:
        """A camera from a device that answered; None: nothing could be had from it, or it was not wanted."""
        plan = CameraPlan(name=self._free(device.name or "camera"), url="")
        plan = self._with_credentials(plan)
        while True:
            password = plan.password.value if plan.password else ""
            try:
                asked = in_background(lambda: streams_of(device.service, plan.user, password))  # noqa: B023
                streams = asked.result(timeout=TIME_S + 1)
            except TimeoutError:
                problem, refused = "the answer takes too long", False
            except OnvifError as error:
                problem, refused = str(error), isinstance(error, OnvifRefusedError)
            else:
                break
            self._console.say(f"  {device.host}: {problem}")
            if not refused or not self._console.yes("Another user or password?", default=True):
                return self._ask_one()
            plan = self._with_credentials(replace(plan, user=plan.user or "admin"))
        stream = self._chosen(streams)
        return replace(plan, url=stream.url)

    def _chosen(self, streams: list[DeviceStream]) -> DeviceStream:
        best = best_of(streams)
        options = dict(enumerate(map(str, streams)))
        best_place = streams.index(best)
        options[best_place] += "  (recommended)"
        return streams[self._console.choose("Which stream", options, default=best_place)]

    def _add(self, camera: CameraPlan) -> None:
        """Try a camera, ask what is to be said of it, and take it, unless it is given up."""
        tried = self._tried(camera)
        if tried is None:
            return
        camera, look = tried
        name = self._console.ask("Name of this camera", self._new_name, default=self._free(camera.name))
        require = self._console.choose(f"Required at {name}", _GEAR_CHOICES, default=camera.require)
        later = bool(require) and self._console.choose("Where", _PLACE_CHOICES, default=camera.zone_later)
        self._cameras.append(
            replace(camera, name=name, require=require, zone_later=later, seen=look.said if look.ok else "")
        )

    def _tried(self, camera: CameraPlan) -> tuple[CameraPlan, CameraLook] | None:
        """The camera that gave the right picture, or is to be taken without; None: it is given up."""
        while True:
            plan = camera
            self._console.say(f"trying {address_shown(plan.url)} ...")
            look = in_background(lambda: try_camera(plan, self._environ)).result()  # noqa: B023
            if look.ok:
                self._show(plan.name, look)
                if self._console.yes("Is this the right picture?", default=True):
                    return plan, look
            else:
                self._console.say(f"  {look.problem}")
            match self._console.choose("What now", _AFTER_FAILURE, default="change"):
                case "keep":
                    return plan, look
                case "leave":
                    return None
            address = self._console.ask("Address", self._parsed, default=address_shown(plan.url))
            same = address.url == address_shown(plan.url)
            camera = self._drafted(address, plan.url if same else address.url)
            if not address.has_login and "://" in camera.url:
                user = ask_user(self._console, "User at the camera", default=plan.user)
                password = ask_password(self._console, f"Password of {user}") if user else None
                camera = replace(camera, user=user, password=password)

    def _show(self, name: str, look: CameraLook) -> None:
        self._console.say(f"  {look.said}")
        drawn = in_terminal(look.jpeg, self._environ) if sys.stdout.isatty() else ""
        if drawn:
            sys.stdout.write(drawn)
            sys.stdout.flush()
        self._console.say(f"  picture: {self._pictures.keep(name, look.jpeg)}")

    def _drafted(self, address: Address, url: str) -> CameraPlan:
        if address.password:
            install_redaction({address.password})
        password = Password(address.password) if address.password else None
        host = "" if "${" in url else (urlsplit(url).hostname or "") if "://" in url else Path(url).stem
        name = host if host and not host.replace(".", "").isdecimal() else "camera"
        return CameraPlan(
            name=self._free(name.partition(".")[0]),
            url=below(url, Path.cwd()),
            user=address.user,
            password=password,
        )

    def _free(self, wanted: str) -> str:
        return free_name(wanted, frozenset(camera.name for camera in self._cameras))

    def _new_name(self, text: str) -> str:
        name = checked_name(text)
        if any(camera.name == name for camera in self._cameras):
            raise ValueError("another camera has this name")
        return name


def address_shown(url: str) -> str:
    """An address without what is secret in it."""
    return redact(url)
