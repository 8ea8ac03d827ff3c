"""What may be changed over HTTP: alerts acknowledged and judged, suppression areas removed.

``SameOriginGuard`` stands before all of it: nothing here is reached without user, password and token.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streamer.alerts.payload import ALERT_ID_PATTERN
from streamer.feedback.desk import RefusedError


class ChangeDesk(Protocol):
    """Who carries changes out and tells subscribers; ``streamer.control.CommandDesk`` is one.

    Payloads are those of the MQTT commands; ``RefusedError`` says what is wrong with them.
    """

    def acknowledge(self, alert_id: str, payload: bytes) -> Mapping[str, Any]:
        """Somebody has seen the alert."""
        ...

    def judge(self, alert_id: str, payload: bytes) -> Mapping[str, Any]:
        """Somebody says whether the alert was right."""
        ...

    def remove_area(self, area_id: str) -> Mapping[str, Any]:
        """Take a suppression area away."""
        ...


def change_routes(desk: ChangeDesk) -> list[Route]:
    """``POST /api/alerts/{id}/ack``, ``.../feedback``, ``DELETE /api/suppressions/{id}``; 409 with the reason where it
    is refused.
    """

    def handler(name: str, change: Callable[[str, bytes], Mapping[str, Any]]) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            wanted = request.path_params[name]
            if not ALERT_ID_PATTERN.fullmatch(wanted):
                raise HTTPException(404, "there is nothing of that name")
            payload = await request.body()
            try:
                answer = await run_in_threadpool(change, wanted, payload)
            except RefusedError as error:
                return JSONResponse({"error": str(error)}, status_code=409)
            return JSONResponse({"ok": True, **answer})

        return handle

    def remove(area_id: str, _payload: bytes) -> Mapping[str, Any]:
        return desk.remove_area(area_id)

    return [
        Route("/api/alerts/{alert_id}/ack", handler("alert_id", desk.acknowledge), methods=["POST"]),
        Route("/api/alerts/{alert_id}/feedback", handler("alert_id", desk.judge), methods=["POST"]),
        Route("/api/suppressions/{area_id}", handler("area_id", remove), methods=["DELETE"]),
    ]
