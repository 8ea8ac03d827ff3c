"""The page of a camera's zones and what it asks for: the state, a trial, a change, an earlier version."""

import math
from collections.abc import Callable
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streamer.web import api
from streamer.web.guessing import GuessLimiter
from streamer.web.page import PageMaker
from streamer.zone_editor.editor import ZoneEditor
from streamer.zone_editor.errors import BusyError, ConflictError, WrongWishError, ZoneEditError
from streamer.zone_editor.values import Wish

_REVISION: Final = TypeAdapter(dict[str, str])

#: So many at once, and one more after so many seconds: nobody does more by hand. All who are logged in share it.
_SAVES: Final = (10, 6.0)
_TRIALS: Final = (15, 2.0)


class ZoneRoutes:
    """The handlers. Without an ``editor`` the page says what has to be set, and nothing else is there.

    ``cameras``: the names that exist.
    """

    def __init__(self, editor: ZoneEditor | None, pages: PageMaker, cameras: Callable[[], list[str]]) -> None:
        self._editor = editor
        self._pages = pages
        self._cameras = cameras
        self._saves = GuessLimiter(burst=_SAVES[0], refill_s=_SAVES[1])
        self._trials = GuessLimiter(burst=_TRIALS[0], refill_s=_TRIALS[1])

    def routes(self) -> list[Route]:
        """All of them."""
        page = Route("/cameras/{camera}/zones", self.page, methods=["GET"])
        if self._editor is None:
            return [page]
        zones = "/api/cameras/{camera}/zones"
        return [
            page,
            Route(zones, self.state, methods=["GET"]),
            Route(zones, self.save, methods=["PUT"]),
            Route(f"{zones}/try", self.try_out, methods=["POST"]),
            Route("/api/site/versions/{version}/restore", self.bring_back, methods=["POST"]),
        ]

    def page(self, request: Request) -> Response:
        """The page of one camera."""
        camera = self._camera(request)
        return HTMLResponse(
            self._pages.render(
                "zones.html",
                request,
                camera=camera,
                cameras=self._cameras(),
                can_edit=self._editor is not None,
            )
        )

    def state(self, request: Request) -> Response:
        """What can be changed."""
        camera = self._camera(request)
        try:
            state = self._present().state(camera)
        except ZoneEditError as error:
            return _refused(error)
        if state is None:
            raise HTTPException(404, "there is no such camera")
        return Response(api.EDITOR.dump_json(state), media_type="application/json")

    async def try_out(self, request: Request) -> Response:
        """What a wish would have said of the last minute."""
        return await self._carry_out(request, self._trials, self._present().try_out, api.TRIAL)

    async def save(self, request: Request) -> Response:
        """Write a wish."""
        return await self._carry_out(request, self._saves, self._present().save, api.SAVED)

    async def bring_back(self, request: Request) -> Response:
        """Make the file what it was before a change."""
        _take(self._saves)
        try:
            revision = _REVISION.validate_json(await request.body()).get("revision", "")
        except ValidationError:
            raise HTTPException(400, "should be a JSON object with the revision") from None
        version = request.path_params["version"]
        try:
            report = await run_in_threadpool(self._present().bring_back, version, revision)
        except ZoneEditError as error:
            return _refused(error)
        if report is None:
            raise HTTPException(404, "there is no such version")
        return Response(api.SAVED.dump_json(report), media_type="application/json")

    async def _carry_out(
        self,
        request: Request,
        limiter: GuessLimiter,
        action: Callable[[str, Wish], Any],
        answer: TypeAdapter[Any],
    ) -> Response:
        camera = self._camera(request)
        _take(limiter)
        try:
            wish = api.WISH.validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise HTTPException(400, f"is not of its form: {place}: {first['msg']}") from None
        try:
            report = await run_in_threadpool(action, camera, wish)
        except ZoneEditError as error:
            return _refused(error)
        return Response(answer.dump_json(report), media_type="application/json")

    def _camera(self, request: Request) -> str:
        camera: str = request.path_params["camera"]
        if camera not in self._cameras():
            raise HTTPException(404, "there is no such camera")
        return camera

    def _present(self) -> ZoneEditor:
        if self._editor is None:
            raise HTTPException(404, "zones are not changed here")
        return self._editor


def _take(limiter: GuessLimiter) -> None:
    wait_s = limiter.take("everybody")
    if wait_s > 0.0:
        raise HTTPException(429, "too many changes: wait a moment", {"retry-after": str(math.ceil(wait_s))})


def _refused(error: ZoneEditError) -> Response:
    """409 for what is in the way, 422 for what is wrong with the wish, with the fields."""
    body: dict[str, Any] = {"error": str(error), "conflict": isinstance(error, ConflictError)}
    if isinstance(error, WrongWishError):
        body["problems"] = [api.PROBLEM.dump_python(problem, mode="json") for problem in error.problems]
        return JSONResponse(body, status_code=422)
    return JSONResponse(body, status_code=429 if isinstance(error, BusyError) else 409)
