"""The stream: what happens, as it happens, over a WebSocket; ``events`` has it as server-sent events too."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Header, Query, WebSocket
from fastapi.responses import Response

from supervisor.api.answers import refuse
from supervisor.api.caller import Caller, caller, require
from supervisor.api.delivery import EventStream, over_websocket
from supervisor.errors import StratdError
from supervisor.problems import problem_of
from supervisor.streaming.cursor import Cursor, cursor_of
from supervisor.streaming.message import Subscription
from supervisor.streaming.stream import Stream
from supervisor.streaming.topics import topics_of

Topics = Annotated[
    str,
    Query(
        max_length=200,
        description="Topics with commas between: deployments, signals, orders, logs, metrics, feeds, events. "
        "All but logs if none is named.",
        examples=["deployments,signals"],
    ),
]
Only = Annotated[str, Query(max_length=64, description="Only what belongs to this deployment.")]
LastId = Annotated[str, Query(max_length=64, description="Go on behind the message of this id.")]
LastHeader = Annotated[
    str, Header(alias="Last-Event-ID", max_length=64, description="As last_event_id; browsers send it.")
]


class StreamPort(Protocol):
    """The daemon, as the stream sees it."""

    async def stream(self, wanted: Subscription, last: Cursor | None) -> Stream:
        """Return what ``wanted`` names from now on, with ``last`` what is kept since, too.

        Its ``account``, unless it is "", bounds what it sees. Raises ``NotFound`` for an unknown deployment.
        """
        ...


async def server_sent(
    daemon: StreamPort, who: Caller, topics: str, deployment_id: str, last: str
) -> Response:
    """Return the answer that streams to one client."""
    wanted = Subscription(topics_of(topics), deployment_id, who.account, who.key)
    return EventStream(await daemon.stream(wanted, cursor_of(last) if last else None))


def stream_routes(api: APIRouter, daemon: StreamPort) -> None:
    """Add the route to ``api``."""

    @api.websocket("/stream")
    async def stream(
        socket: WebSocket, topics: Topics = "", deployment_id: Only = "", last_event_id: LastId = ""
    ) -> None:
        who = caller(socket)
        try:
            require(who, "read")
            last = cursor_of(last_event_id) if last_event_id else None
            wanted = Subscription(topics_of(topics), deployment_id, who.account, who.key)
            opened = await daemon.stream(wanted, last)
        except StratdError as error:
            await refuse(problem_of(error), socket.scope, socket.send)
            return
        try:
            await socket.accept()
        except BaseException:
            await opened.aclose()
            raise
        await over_websocket(opened, socket.scope, socket.receive, socket.send)
