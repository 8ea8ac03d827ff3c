"""What every page of the dashboard shares: its frame, its navigation, the sentence at its top."""

import time
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment
from starlette.requests import Request

from streamer.web.status import StatusSource
from streamer.web.view import headline

#: Path and title of the pages, in the order of the navigation.
NAVIGATION: Final = (
    ("/", "Cameras"),
    ("/alerts", "Alerts"),
    ("/compliance", "Compliance"),
    ("/system", "System"),
)

#: The headline counts the open ones among so many alerts.
_LATEST: Final = 50


@dataclass(frozen=True, slots=True)
class PageMaker:
    """Renders templates with what all of them need. ``may_change``: whether the pages show what changes something;
    ``timezone``: the IANA name of that in which they show times."""

    source: StatusSource
    site_name: str
    version: str
    templates: Environment
    may_change: bool = False
    timezone: str = "UTC"

    def render(self, template: str, request: Request, **values: Any) -> str:
        """The HTML of ``template``; ``values`` are those that it needs beyond the common ones."""
        return self.templates.get_template(template).render(
            site_name=self.site_name,
            version=self.version,
            now=time.time(),
            path=request.url.path,
            may_change=self.may_change,
            timezone=self.timezone,
            navigation=NAVIGATION,
            headline=headline(
                self.source.health(),
                self.source.stages(),
                self.source.cameras(),
                self.source.alerts(_LATEST),
                self.source.outbox(),
            ),
            **values,
        )

    def render_error(self, request: Request, problem: str) -> str:
        """A page that says what is wrong and leads on, whatever else fails. ``problem`` is one sentence."""
        path = request.url.path
        there = (page for page in NAVIGATION if page[0] != "/" and path.startswith(page[0]))
        target, name = next(there, NAVIGATION[0])
        return self.templates.get_template("error.html").render(
            site_name=self.site_name,
            version=self.version,
            path=path,
            navigation=NAVIGATION,
            problem=f"{problem[:1].upper()}{problem[1:]}.",
            target=target,
            name=name,
        )
