"""Each request has a name: taken from ``X-Request-Id`` if it is well formed, else made; told, and logged.

It is in the answer's header, in a problem document, in the audit trail and in every line that is logged
while the request is worked on.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.causes import Cause, working_for

HEADER: Final = b"x-request-id"
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def uuid7(milliseconds: int, random: bytes) -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7): ids sort as the requests came. ``random``: 10 bytes."""
    number = (milliseconds & (2**48 - 1)) << 80 | int.from_bytes(random, "big")
    number = number & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


def request_id(scope: Scope) -> str:
    """Return the id of the request that ``scope`` is of, "" outside of one."""
    return str(scope.get("state", {}).get("request_id", ""))


class RequestIds:
    """ASGI middleware, the outermost one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        known = given.decode() if _WELL_FORMED.fullmatch(given) else ""
        name = known or uuid7(time.time_ns() // 10**6, os.urandom(10))
        scope.setdefault("state", {})["request_id"] = name

        async def named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = [*message.get("headers", []), (HEADER, name.encode())]
                message = {**message, "headers": headers}
            await send(message)

        cause = scope["state"]["cause"] = Cause(name)
        try:
            with working_for(cause):
                await self._app(scope, receive, named)
        finally:
            cause.release()
