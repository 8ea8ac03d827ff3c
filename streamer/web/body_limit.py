"""Bounds what a request may bring."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.web.counters import Refusal, RefusalCounters

#: More than anything that is sent to us.
MAX_BODY_BYTES: Final = 65_536


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """ASGI middleware that answers 413 to a body beyond ``most_bytes``, announced or not, before the app has it all."""

    def __init__(self, app: ASGIApp, *, counters: RefusalCounters, most_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._counters = counters
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = HTTPConnection(scope).headers.get("content-length", "0")
        read = 0
        answered = False

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most_bytes:
                raise _TooLargeError
            return message

        async def send_noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        # h11 lets nothing but digits pass; int() refuses some thousands of them
        if len(announced) <= len(str(self._most_bytes)) and int(announced) <= self._most_bytes:
            try:
                await self._app(scope, receive_bounded, send_noted)
            except _TooLargeError:
                if answered:
                    raise
            else:
                return
        self._counters.add(Refusal.BODY)
        response = JSONResponse(
            {"error": f"a request may bring {self._most_bytes} bytes at most"},
            status_code=413,
            headers={"connection": "close"},
        )
        await response(scope, receive, send)
