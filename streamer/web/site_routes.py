"""The wall of cameras, the system's page, and the JSON behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from streamer.web import api
from streamer.web.machine import MachineLoad, machine_load
from streamer.web.page import PageMaker
from streamer.web.status import StatusSource

#: Outlines of the zones of each camera by name, corners relative to the picture (0 to 1).
ZoneOutlines = Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]]

#: Latest alerts beside the wall.
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class SiteRoutes:
    """The handlers; ``zones`` gives the outlines that are drawn on the wall, ``edits_zones`` says whether they can be
    changed; ``machine`` tells how busy this machine is.
    """

    source: StatusSource
    pages: PageMaker
    zones: Callable[[], ZoneOutlines]
    edits_zones: bool = False
    machine: Callable[[], MachineLoad] = machine_load

    def routes(self) -> list[Route]:
        """All of them."""
        source = self.source
        return [
            Route("/", self.wall, methods=["GET"]),
            Route("/part/wall", self.wall_part, methods=["GET"]),
            Route("/part/latest", self.latest_part, methods=["GET"]),
            Route("/system", self.system, methods=["GET"]),
            Route("/part/system", self.system_part, methods=["GET"]),
            Route("/api/cameras", _json(api.CAMERAS, source.cameras), methods=["GET"]),
            Route("/api/suppressions", _json(api.SUPPRESSIONS, source.suppressions), methods=["GET"]),
            Route("/api/health", _json(api.HEALTH, source.health), methods=["GET"]),
            Route("/api/stages", _json(api.STAGES, source.stages), methods=["GET"]),
            Route("/api/worker", _json(api.WORKER, source.worker), methods=["GET"]),
            Route("/api/outbox", _json(api.OUTBOX, source.outbox), methods=["GET"]),
            Route("/api/webhooks", _json(api.WEBHOOKS, source.webhooks), methods=["GET"]),
        ]

    def wall(self, request: Request) -> Response:
        """All cameras."""
        return HTMLResponse(
            self.pages.render(
                "wall.html",
                request,
                **self._wall_values(),
                alerts=self.source.alerts(_FEW),
                edits_zones=self.edits_zones,
            )
        )

    def wall_part(self, request: Request) -> Response:
        """What changes above the pictures."""
        return HTMLResponse(self.pages.render("part_wall.html", request, **self._wall_values()))

    def latest_part(self, request: Request) -> Response:
        """The latest alerts beside them."""
        return HTMLResponse(self.pages.render("part_latest.html", request, alerts=self.source.alerts(_FEW)))

    def system(self, request: Request) -> Response:
        """Cameras, inference, delivery and stages, and what is wrong with them."""
        return HTMLResponse(self.pages.render("system.html", request, **self._system_values()))

    def system_part(self, request: Request) -> Response:
        """The part of it that changes."""
        return HTMLResponse(self.pages.render("part_system.html", request, **self._system_values()))

    def _wall_values(self) -> dict[str, Any]:
        cameras, zones = self.source.cameras(), self.zones()
        # what the page's script cannot renew: where it differs, the page is loaded anew
        layout = repr([(camera.camera, zones.get(camera.camera)) for camera in cameras])
        return {"cameras": cameras, "zones": zones, "layout": sha256(layout.encode()).hexdigest()[:16]}

    def _system_values(self) -> dict[str, Any]:
        source = self.source
        return {
            "cameras": source.cameras(),
            "suppressions": source.suppressions(),
            "stages": source.stages(),
            "health": source.health(),
            "worker": source.worker(),
            "outbox": source.outbox(),
            "webhooks": source.webhooks(),
            "machine": self.machine(),
        }


def _json(adapter: TypeAdapter[Any], read: Callable[[], object]) -> Callable[[Request], Response]:
    def handler(_request: Request) -> Response:
        return Response(adapter.dump_json(adapter.validate_python(read())), media_type="application/json")

    return handler
