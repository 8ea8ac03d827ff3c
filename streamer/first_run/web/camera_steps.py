"""The step of the cameras: found on the network or named, tried, shown, and what is required there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from streamer.commands.background import in_background
from streamer.first_run.plan import GEAR, Address, CameraPlan, Password, below, checked_name, checked_secret
from streamer.first_run.trying import try_camera
from streamer.first_run.web.form import Form
from streamer.first_run.web.leading import lead_to
from streamer.first_run.web.pages import Pages
from streamer.first_run.web.site_steps import password_in
from streamer.first_run.web.state import CameraDraft, DeviceTalk, WizardState
from streamer.onvif.device import TIME_S, best_of, streams_of
from streamer.onvif.discovery import FoundDevice, discover
from streamer.onvif.errors import OnvifError
from streamer.redaction import install_redaction


@dataclass(frozen=True, slots=True)
class CameraSteps:
    """Their handlers. ``find``: who is there on the network."""

    pages: Pages
    state: WizardState
    find: Callable[[], list[FoundDevice]] = discover

    def shown(self) -> dict[str, Callable[[Request], Response]]:
        """What is shown, by path."""
        return {
            "cameras": self.cameras,
            "cameras/{number:int}": self.camera,
            "cameras/{number:int}/picture": self.picture,
            "devices/{place:int}": self.device,
        }

    def changed(self) -> dict[str, Callable[[Request, Form], Response]]:
        """What changes something, by path."""
        return {
            "cameras": self.add,
            "cameras/{number:int}": self.settle,
            "cameras/{number:int}/address": self.readdress,
            "cameras/{number:int}/remove": self.remove,
            "discover": self.look_around,
            "devices/{place:int}": self.ask_device,
            "devices/{place:int}/stream": self.take_stream,
        }

    def cameras(self, _request: Request) -> Response:
        """Those that there are, and a form for the next."""
        return self._cameras()

    def _cameras(self, problem: str = "", url: str = "", user: str = "") -> Response:
        return self.pages.page(
            "cameras.html", "cameras", problem=problem, url=url, user=user or self._last_user()
        )

    def camera(self, request: Request) -> Response:
        """One of them: its picture, and what is required there."""
        number, draft = self._draft(request)
        return self._camera(number, draft)

    def _camera(self, number: int, draft: CameraDraft, problem: str = "") -> Response:
        return self.pages.page("camera.html", "cameras", problem=problem, number=number, draft=draft)

    def picture(self, request: Request) -> Response:
        """The frame that was taken when it was tried."""
        _, draft = self._draft(request)
        if not draft.look.jpeg:
            raise HTTPException(404, "there is no picture")
        return Response(draft.look.jpeg, media_type="image/jpeg")

    def add(self, _request: Request, form: Form) -> Response:
        """A camera by its address: try it."""
        url, user = form.text("url"), form.text("user")
        try:
            known = CameraPlan(name="camera", url="", password=self._password_of(form.text("user")))
            plan = self._plan_of(form, known)
        except ValueError as error:
            # the address may hold a password, and is not shown again
            return self._cameras(str(error), user=user, url="" if "@" in url else url)
        number = self.state.add(plan, try_camera(plan, dict(self.state.environ)))
        return lead_to(self.pages, f"cameras/{number}")

    def settle(self, request: Request, form: Form) -> Response:
        """Take it into the site under a name, with what is required there."""
        number, draft = self._draft(request)
        try:
            name = checked_name(form.text("name"))
        except ValueError as error:
            return self._camera(number, draft, str(error))
        if self.state.free_name(name, but=number) != name:
            return self._camera(number, draft, "another camera has this name")
        require = tuple(gear for gear in GEAR if gear in form.all("require"))
        draft.plan = replace(
            draft.plan, name=name, require=require, zone_later=bool(require) and form.text("where") == "zone"
        )
        draft.taken = True
        return lead_to(self.pages, "cameras")

    def readdress(self, request: Request, form: Form) -> Response:
        """Try it at another address, or with another user or password."""
        number, draft = self._draft(request)
        try:
            plan = self._plan_of(form, draft.plan)
        except ValueError as error:
            return self._camera(number, draft, str(error))
        draft.plan, draft.look = plan, try_camera(plan, dict(self.state.environ))
        return lead_to(self.pages, f"cameras/{number}")

    def remove(self, request: Request, _form: Form) -> Response:
        """Forget it."""
        number, _ = self._draft(request)
        del self.state.drafts[number]
        return lead_to(self.pages, "cameras")

    def look_around(self, _request: Request, _form: Form) -> Response:
        """Ask the network who is an ONVIF camera."""
        try:
            found = self.find()
        except OnvifError as error:
            return self._cameras(str(error))
        self.state.devices = [DeviceTalk(device) for device in found]
        self.state.has_asked_around = True
        return lead_to(self.pages, "cameras#found")

    def device(self, request: Request) -> Response:
        """One that was found: a login, then its streams."""
        place, talk = self._talk(request)
        best = talk.streams.index(best_of(talk.streams)) if talk.streams else 0
        return self.pages.page(
            "device.html", "cameras", place=place, talk=talk, best=best, user=talk.user or self._last_user()
        )

    def ask_device(self, request: Request, form: Form) -> Response:
        """Ask it for its streams."""
        place, talk = self._talk(request)
        talk.problem, talk.streams = "", []
        try:
            talk.user = checked_secret(form.text("user"), "a user name")
            known = self._password_of(talk.user)
            talk.password = checked_secret(form.secret("password")) or (known.value if known else "")
            install_redaction({talk.password} - {""})
            asked = in_background(lambda: streams_of(talk.device.service, talk.user, talk.password))
            talk.streams = asked.result(timeout=TIME_S + 1)
        except TimeoutError:
            talk.problem = "the answer takes too long"
        except (ValueError, OnvifError) as error:
            talk.problem = str(error)
        return lead_to(self.pages, f"devices/{place}")

    def take_stream(self, request: Request, form: Form) -> Response:
        """Try one of its streams as a camera."""
        _, talk = self._talk(request)
        chosen = form.text("stream")
        if not (chosen.isascii() and chosen.isdecimal() and int(chosen) < len(talk.streams)):
            raise HTTPException(404, "there is no such stream")
        plan = CameraPlan(
            name=talk.device.name or "camera",
            url=talk.streams[int(chosen)].url,
            user=talk.user,
            password=Password(talk.password) if talk.password else None,
        )
        number = self.state.add(plan, try_camera(plan, dict(self.state.environ)))
        return lead_to(self.pages, f"cameras/{number}")

    def _plan_of(self, form: Form, known: CameraPlan) -> CameraPlan:
        """``known`` with the address, user and password of a form. Raises ``ValueError``."""
        address = Address.parse(form.text("url") or known.url, self.state.environ)
        url = below(address.url, Path.cwd())
        if address.has_login:
            install_redaction({address.password} - {""})
            password = Password(address.password) if address.password else None
            return replace(known, url=url, user=address.user, password=password)
        user = checked_secret(form.text("user"), "a user name")
        return replace(
            known, url=url, user=user, password=password_in(form, known.password) if user else None
        )

    def _draft(self, request: Request) -> tuple[int, CameraDraft]:
        number = request.path_params["number"]
        draft = self.state.drafts.get(number)
        if draft is None:
            raise HTTPException(404, "there is no such camera")
        return number, draft

    def _talk(self, request: Request) -> tuple[int, DeviceTalk]:
        place = request.path_params["place"]
        if place >= len(self.state.devices):
            raise HTTPException(404, "there is no such device")
        return place, self.state.devices[place]

    def _password_of(self, user: str) -> Password | None:
        """That of the last camera with this user."""
        drafts = [draft.plan for draft in self.state.drafts.values() if draft.plan.user == user and user]
        return drafts[-1].password if drafts else None

    def _last_user(self) -> str:
        return next(
            (draft.plan.user for draft in reversed(self.state.drafts.values()) if draft.plan.user), ""
        )
