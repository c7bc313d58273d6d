"""What comes as JSON Lines, one object a line: logs, events, signals.

The events also come as server-sent events, with all other topics of the stream, to who asks for that type.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.port import DaemonPort
from supervisor.api.routes.signals import Wanted, signal_lines
from supervisor.api.routes.stream import LastHeader, LastId, Only, Topics, server_sent
from supervisor.schema import View

TURN = 256
"""Lines after which others have a turn of the loop."""
Lines = Annotated[int, Query(ge=0, le=100_000)]
After = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Id = Annotated[str, Path(max_length=64)]


class JsonLines(StreamingResponse):
    """One JSON object a line (https://github.com/ndjson/ndjson-spec)."""

    media_type = "application/x-ndjson"


def line_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments/{deployment_id}/logs", dependencies=[needs("read")], response_class=JsonLines)
    async def logs(deployment_id: Id, n: Lines = 100, follow: bool = False) -> JsonLines:
        """The last lines that a deployment wrote, one JSON object a line; with `follow` each that comes."""
        return _json_lines(await daemon.logs(deployment_id, n=n, follow=follow))

    @api.get(
        "/events",
        dependencies=[needs("read")],
        response_class=JsonLines,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def events(  # noqa: PLR0917  (FastAPI passes them by name)
        who: Annotated[Caller, Depends(caller)],
        accept: Annotated[str, Header(max_length=1000, include_in_schema=False)] = "",
        n: Lines = 100,
        after: After = None,
        follow: bool = False,
        topics: Topics = "",
        deployment_id: Only = "",
        last_event_id: LastId = "",
        last: LastHeader = "",
    ) -> Response:
        """What happened, one JSON object a line; as `text/event-stream` all topics of the stream."""
        if "text/event-stream" in accept:
            return await server_sent(daemon, who, topics, deployment_id, last or last_event_id)
        return _json_lines(await daemon.events(after=after, n=n, follow=follow))

    @api.get("/signals", dependencies=[needs("read")], response_class=JsonLines)
    async def signals(
        wanted: Annotated[Wanted, Depends()], n: Lines = 100, after: After = None, follow: bool = False
    ) -> JsonLines:
        """Signals with their verdicts, one JSON object a line; with `follow` each that comes."""
        return _json_lines(await signal_lines(daemon, wanted, after=after, n=n, follow=follow))


def _json_lines(views: AsyncIterator[View]) -> JsonLines:
    async def lines() -> AsyncIterator[str]:
        async with contextlib.AsyncExitStack() as always_cleanup:
            if hasattr(views, "aclose"):
                always_cleanup.push_async_callback(views.aclose)
            sent = 0
            async for view in views:
                yield view.model_dump_json() + "\n"
                sent += 1
                if sent % TURN == 0:
                    await asyncio.sleep(0)  # no send waits where the client takes it all: others have a turn

    return JsonLines(lines())
