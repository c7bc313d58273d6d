"""Problem documents (RFC 9457) as they go out, from a route or from a guard before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.types import Scope, Send

from supervisor.api.request_ids import request_id
from supervisor.schema import Problem

MEDIA: Final = "application/problem+json"


def document(problem: Problem, scope: Scope) -> bytes:
    """Return the body that says ``problem`` of the request of ``scope``."""
    said = {"instance": scope["path"], "request_id": request_id(scope)}
    return problem.model_copy(update=said).model_dump_json().encode()


async def refuse(
    problem: Problem, scope: Scope, send: Send, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer a request with ``problem`` instead of passing it on; a WebSocket is not accepted."""
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    if scope["type"] == "websocket" and kind not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": problem.title[:120]})
        return
    body = document(problem, scope)
    told = [
        (b"content-type", MEDIA.encode()),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": f"{kind}.start", "status": problem.status, "headers": told})
    await send({"type": f"{kind}.body", "body": body})
