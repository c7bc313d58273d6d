"""Why a WebSocket is not accepted, told as every other error is: by a problem document.

What no route is for is closed by Starlette before it is accepted, which servers make an empty 403 of. What
is no handshake at all (RFC 6455, 4.2.1) is answered before it is a WebSocket (``protocol.py``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.schema import Problem

UNKNOWN = Problem(title="no WebSocket is spoken here: the stream is /api/v1/stream", status=404)

VERSION: Final = b"13"
"""The only one there is (RFC 6455, 4.1)."""
Headers = Iterable[tuple[bytes, bytes]]


def fault_of(method: bytes, headers: Headers) -> Problem | None:
    """Return what is wrong with a handshake, None if it is one. Names of ``headers`` are in small letters.

    A version that is not ours is 426, to be answered with ours (RFC 6455, 4.4).
    """
    if method != b"GET":
        return _fault(f"a WebSocket is opened by GET, not by {method.decode('latin-1')[:20]}", 405)
    versions = _values(headers, b"sec-websocket-version")
    if versions != [VERSION]:
        said = b", ".join(versions).decode("latin-1")[:40]
        shown = f"Sec-WebSocket-Version = {said!r}" if versions else "Sec-WebSocket-Version is missing"
        return _fault(f"{shown}: must be 13", HTTPStatus.UPGRADE_REQUIRED)
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1:
        return _fault(f"Sec-WebSocket-Key: must be there once, and is {len(keys)} times")
    try:
        nonce = base64.b64decode(keys[0], validate=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        return _fault(f"Sec-WebSocket-Key = {keys[0].decode('latin-1')[:40]!r}: must be 16 bytes in base64")
    return None


def _fault(title: str, status: int = HTTPStatus.BAD_REQUEST) -> Problem:
    return Problem(title=title, status=status)


def _values(headers: Headers, wanted: bytes) -> list[bytes]:
    return [value.strip() for name, value in headers if name == wanted]


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
