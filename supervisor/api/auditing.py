"""Every request that may change something becomes a record of the audit trail: who, what, and how it ended.

What nobody was let in for is not one (401, 429: they are counted, and a flood of them would push out the
rest). Bodies are not kept: they may hold secrets, and events say what was done.
"""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.caller import asking
from supervisor.api.door import address_of
from supervisor.api.request_ids import request_id
from supervisor.api.timeouts import SAFE
from supervisor.audit_trail import AuditTrail
from supervisor.store.audit import AuditRecord


class Audit:
    """ASGI middleware, just inside the door."""

    def __init__(self, app: ASGIApp, trail: AuditTrail | None = None) -> None:
        self._app = app
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it was answered."""
        trail = self._trail
        if trail is None or scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        status = 500  # of an exception that nobody caught, which is answered further out

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            who = asking.get()
            trail.note(
                AuditRecord(
                    at=time.time_ns(),
                    who=who.name[:100],
                    key=who.key[:12],
                    account=who.account,
                    address=address_of(scope)[:64],
                    method=scope["method"][:16],
                    path=scope["path"][:300],
                    status=status,
                    request_id=request_id(scope),
                )
            )
