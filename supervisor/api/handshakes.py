"""Why a WebSocket is not accepted, told as every other error is: by a problem document.

What no route is for is closed by Starlette before it is accepted, which servers make an empty 403 of.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.schema import Problem

UNKNOWN = Problem(title="no WebSocket is spoken here: the stream is /api/v1/stream", status=404)


class Handshakes:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a handshake on, and answer what nobody did."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        answered = False

        async def told(message: Message) -> None:
            nonlocal answered
            first, answered = not answered, True
            # "websocket.close" itself is what is left where a server takes no other answer.
            if first and message["type"] == "websocket.close" and "websocket.http.response" in _known(scope):
                await refuse(UNKNOWN, scope, send)
            else:
                await send(message)

        await self._app(scope, receive, told)


def _known(scope: Scope) -> dict[str, object]:
    found: dict[str, object] = scope.get("extensions") or {}
    return found
