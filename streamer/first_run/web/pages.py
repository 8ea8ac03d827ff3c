"""Renders the pages of the wizard: their frame, their steps, and what no page may show."""

import importlib.metadata
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from streamer.first_run.plan import GEAR
from streamer.first_run.web.access import OneBrowser
from streamer.first_run.web.form import TOKEN_FIELD
from streamer.first_run.web.state import WizardState
from streamer.redaction import redact

#: Path and title of the steps, in their order.
STEPS: Final = (
    ("site", "Site"),
    ("broker", "Broker"),
    ("cameras", "Cameras"),
    ("review", "Review and write"),
)
#: A form that cannot be used as it was filled in.
UNUSABLE: Final = 422


@dataclass(frozen=True, slots=True)
class Pages:
    """Makes the answers of the wizard."""

    browser: OneBrowser
    state: WizardState
    templates: Environment

    @classmethod
    def make(cls, browser: OneBrowser, state: WizardState) -> "Pages":
        """Jinja with autoescape and strict names."""
        environment = Environment(
            loader=PackageLoader("streamer.first_run.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["shown"] = lambda text: redact(str(text))
        return cls(browser, state, environment)

    def page(self, template: str, step: str, *, problem: str = "", **values: Any) -> HTMLResponse:
        """``template`` as the page of ``step``; ``problem`` is what is wrong with what was filled in."""
        text = self.templates.get_template(template).render(
            root=self.browser.root,
            token=self.browser.form,
            token_field=TOKEN_FIELD,
            step=step,
            steps=STEPS,
            reached=self._reached(),
            state=self.state,
            gear=GEAR,
            problem=problem,
            version=_version(),
            **values,
        )
        return HTMLResponse(text, status_code=UNUSABLE if problem else 200)

    def _reached(self) -> frozenset[str]:
        """The steps that can be gone to."""
        state = self.state
        reached = {"site"}
        if state.site_answered:
            reached.add("broker")
        if state.site_answered and state.broker_answered:
            reached.add("cameras")
            if state.plan().cameras:
                reached.add("review")
        return frozenset(reached)


def _version() -> str:
    try:
        return importlib.metadata.version("ppewatch")
    except importlib.metadata.PackageNotFoundError:
        return ""
