"""Live pictures over HTTP: what the wall of cameras asks for every second."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamer.live.look import LivePicture
from streamer.web import api

#: A screen shows no more cameras at once.
_MOST_CAMERAS: Final = 64


class LiveSource(Protocol):
    """Where pictures come from; ``streamer.live.desk.LiveDesk`` is one."""

    def watch(self, camera_id: str) -> LivePicture | None:
        """Somebody looks at the camera: its latest picture, or None while there is none yet."""
        ...


def live_routes(source: LiveSource, cameras: Callable[[], Sequence[str]]) -> list[Route]:
    """``/api/live?camera=A&camera=B``: the latest looks of these cameras; ``/api/live/{camera}/picture``: its JPEG.

    ``cameras``: the names of those that deliver now. No others are watched: the last picture of one that is away would
    pass for the present.
    """

    def looks(request: Request) -> Response:
        known = set(cameras())
        wanted = [name for name in request.query_params.getlist("camera") if name in known]
        pictures = [source.watch(name) for name in wanted[:_MOST_CAMERAS]]
        found = tuple(picture.look for picture in pictures if picture is not None)
        return Response(api.LOOKS.dump_json(found), media_type="application/json")

    def picture(request: Request) -> Response:
        name = request.path_params["camera"]
        shown = source.watch(name) if name in set(cameras()) else None
        if shown is None:
            raise HTTPException(404, "there is no picture of this camera now")
        return Response(shown.jpeg, media_type="image/jpeg", headers={"cache-control": "no-store"})

    return [
        Route("/api/live", looks, methods=["GET"]),
        Route("/api/live/{camera}/picture", picture, methods=["GET"]),
    ]
