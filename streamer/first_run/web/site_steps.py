"""The steps around the cameras: the site, the broker, and at the end the review and the writing."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from config import ConfigError
from streamer.first_run.here import checked_timezone, readable_file
from streamer.first_run.next_steps import next_steps
from streamer.first_run.plan import (
    BrokerPlan,
    Password,
    SecretPlace,
    broker_address,
    checked_name,
    checked_secret,
)
from streamer.first_run.trying import try_broker
from streamer.first_run.web.form import Form
from streamer.first_run.web.leading import lead_to
from streamer.first_run.web.pages import Pages
from streamer.first_run.web.state import WizardState
from streamer.first_run.writing import FirstRunError, prospect, write_site
from streamer.redaction import install_redaction, redact


@dataclass(frozen=True, slots=True)
class SiteSteps:
    """Their handlers. ``force`` and ``written``: see ``create_wizard``."""

    pages: Pages
    state: WizardState
    force: bool
    written: Callable[[], None]

    def shown(self) -> dict[str, Callable[[Request], Response]]:
        """What is shown, by path."""
        return {"site": self.site, "broker": self.broker, "review": self.review}

    def changed(self) -> dict[str, Callable[[Request, Form], Response]]:
        """What changes something, by path."""
        return {
            "site": self.name_site,
            "broker": self.name_broker,
            "heads": self.look_for_heads,
            "input": self.set_input,
            "write": self.write,
        }

    def site(self, _request: Request) -> Response:
        """Name and time zone."""
        return self.pages.page("site.html", "site", name=self.state.name, timezone=self.state.timezone)

    def name_site(self, _request: Request, form: Form) -> Response:
        """They are these."""
        name, timezone = form.text("name"), form.text("timezone")
        try:
            self.state.name = checked_name(name)
            self.state.timezone = checked_timezone(timezone)
        except ValueError as error:
            return self.pages.page("site.html", "site", problem=str(error), name=name, timezone=timezone)
        self.state.site_answered = True
        return lead_to(self.pages, "broker")

    def broker(self, _request: Request) -> Response:
        """Where it is, and how to log in."""
        return self.pages.page("broker.html", "broker", broker=self.state.broker, failed="")

    def name_broker(self, _request: Request, form: Form) -> Response:
        """Try these answers; with ``keep``, take them although they failed."""
        state = self.state
        try:
            broker = self._broker_of(form)
        except ValueError as error:
            return self.pages.page(
                "broker.html", "broker", problem=str(error), broker=state.broker, failed=""
            )
        state.broker = broker
        state.broker_problem = try_broker(broker, site=state.name)
        state.broker_answered = state.broker_problem is None or form.has("keep")
        if not state.broker_answered:
            return self.pages.page("broker.html", "broker", broker=broker, failed=state.broker_problem or "")
        return lead_to(self.pages, "cameras")

    def _broker_of(self, form: Form) -> BrokerPlan:
        where = broker_address(form.text("host"))
        tls = form.has("tls") or where.tls
        ca = form.text("ca")
        user = checked_secret(form.text("user"), "a user name")
        return BrokerPlan(
            host=where.host,
            port=where.port_with(tls=tls),
            tls=tls,
            ca_file=readable_file(ca) if ca and tls else "",
            user=user,
            password=password_in(form, self.state.broker.password) if user else None,
        )

    def review(self, _request: Request) -> Response:
        """What will be written."""
        return self._review()

    def _review(self, problem: str = "") -> HTMLResponse:
        state = self.state
        plan = state.plan()
        coming, wrong = None, problem
        try:
            coming = prospect(plan, state.path, state.place)
        except FirstRunError as error:
            wrong = wrong or str(error)
        return self.pages.page(
            "review.html",
            "review",
            problem=wrong,
            text="" if coming is None else coming.shown,
            paths=() if coming is None else tuple(map(str, coming.paths)),
            existing=() if coming is None else tuple(map(str, coming.existing())),
            loose=plan.has_loose_passwords,
            can_write=bool(plan.cameras),
            able=any(camera.seen and camera.require for camera in plan.cameras),
        )

    def look_for_heads(self, _request: Request, _form: Form) -> Response:
        """Begin to look how large heads are."""
        self.state.look_for_heads()
        return lead_to(self.pages, "review")

    def set_input(self, _request: Request, form: Form) -> Response:
        """Let the network see a camera larger, as its heads need it."""
        size = form.text("size")
        offered = {
            (told["camera"], text) for told in self.state.heads.told for text in told.get("advice", ())
        }
        for draft in self.state.drafts.values():
            if (draft.plan.name, f"input_size: {size}") in offered and form.text("camera") == draft.plan.name:
                draft.resize(int(size))
        return lead_to(self.pages, "review")

    def write(self, _request: Request, form: Form) -> Response:
        """Write it all; or only show it with passwords elsewhere."""
        state = self.state
        if form.text("place") in set(SecretPlace):
            state.place = SecretPlace(form.text("place"))
        if not form.has("write") or not state.plan().cameras:
            return self._review()
        try:
            coming = prospect(state.plan(), state.path, state.place)
            if coming.existing() and not (self.force or form.has("replace")):
                return self._review("some of these files exist; say below that they may be replaced")
            write_site(coming, state.environ, replace=self.force or form.has("replace"))
        except (FirstRunError, ConfigError) as error:
            return self._review(redact(str(error)))
        except OSError as error:
            return self._review(f"{error.filename or state.path}: {error.strerror or error}")
        page = self.pages.page("done.html", "", commands=next_steps(coming))
        page.background = BackgroundTask(self.written)
        return page


def password_in(form: Form, known: Password | None) -> Password | None:
    """The password that was typed; where nothing was, the one that is ``known`` already. Raises ``ValueError``."""
    value = checked_secret(form.secret("password"))
    if not value:
        return known
    install_redaction({value})
    return Password(value)
