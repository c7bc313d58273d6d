"""The one door into the application: who asks is known before any route is looked for."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from supervisor.api.caller import NOBODY, asking


class Door:
    """ASGI middleware: makes the caller that the listener noted known to all that is done for the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        asking.set(scope.get("state", {}).get("caller", NOBODY))
        await self._app(scope, receive, send)
