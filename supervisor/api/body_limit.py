"""A bound on what a request may send; Starlette's own answers plain text where every error is a problem."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: a body of over ``most`` bytes ends in 413 as soon as that is known.

    ``larger`` are methods and paths with a bound of their own, where that is higher; a last segment of ``*``
    stands for any.
    """

    def __init__(self, app: ASGIApp, most: int, larger: Mapping[tuple[str, str], int] | None = None) -> None:
        self._app = app
        self._most = most
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what is read of it."""
        await self._app(scope, self._counting(scope, receive) if scope["type"] == "http" else receive, send)

    def _counting(self, scope: Scope, receive: Receive) -> Receive:
        # A number, or h11 would have refused the request.
        announced = int(dict(scope["headers"]).get(b"content-length", b"0"))
        method, path = scope["method"], scope["path"]
        whole, any_of = (method, path), (method, f"{path.rpartition('/')[0]}/*")
        most = max(self._most, self._larger.get(whole, 0), self._larger.get(any_of, 0))
        received = 0

        async def counted() -> Message:
            nonlocal received
            if announced > most:
                raise self._too_large(most)
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise self._too_large(most)
            return message

        return counted

    def _too_large(self, most: int) -> HTTPException:
        return HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is too large: at most {most} bytes"
        )
