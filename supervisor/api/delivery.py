"""Sending a stream to one client: as server-sent events, or over a WebSocket. A slow client is let go.

Server-sent events are those of the HTML standard (section "Server-sent events"): each has the cursor of its
message as ``id``, the topic as ``event``, and one line of JSON as ``data``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from supervisor.errors import StratdError
from supervisor.streaming.stream import Sent, Stream

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, as the HTML standard advises: proxies end the silent."""
STALLED: Final = 30.0
"""Seconds that one client may take to accept a batch before it is cut off."""
log = structlog.get_logger()
Write = Callable[[Sequence[Sent]], Awaitable[None]]
"""Sends a batch; an empty one is a heartbeat."""


async def deliver(
    stream: Stream, write: Write, gone: Awaitable[object], *, heartbeat: float = HEARTBEAT
) -> bool:
    """Send all of ``stream`` until it ends, the client is ``gone``, or is too slow; whether it was too slow.

    The stream is closed in the end.
    """
    ends = [
        asyncio.create_task(_pump(stream, write, heartbeat), name="stream to a client"),
        asyncio.ensure_future(gone),
        asyncio.create_task(stream.cut_off.wait()),
    ]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        pumped = ends[0]
        stalled = pumped.done() and not pumped.cancelled() and isinstance(pumped.exception(), TimeoutError)
        return stalled or stream.cut_off.is_set()
    finally:
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await stream.aclose()


async def _pump(stream: Stream, write: Write, heartbeat: float) -> None:
    batches = aiter(stream)
    upcoming: asyncio.Future[list[Sent]] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(_next(batches))
            done, _ = await asyncio.wait({upcoming}, timeout=heartbeat)
            batch: list[Sent] = []
            if done:
                batch, upcoming = upcoming.result(), None
            # Not wait_for, which until Python 3.12 swallows a cancellation that comes as the write ends.
            async with asyncio.timeout(STALLED):
                await write(batch)
    except (StopAsyncIteration, _EndError):
        return
    except StratdError as error:  # the past cannot be read any more: the client comes back with its cursor
        log.warning("stream_ended", detail=str(error))
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


class _EndError(Exception):
    """The stream is over; ``StopAsyncIteration`` cannot be the result of a task."""


async def _next(batches: AsyncIterator[list[Sent]]) -> list[Sent]:
    try:
        return await anext(batches)
    except StopAsyncIteration:
        raise _EndError from None


async def abort(scope: Scope, gone: Awaitable[object]) -> None:
    """End the connection without waiting for what is still to be sent: nobody takes it."""
    transport = scope.get("state", {}).get("transport")
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
        await gone


class EventStream(Response):
    """The answer that is a stream of server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, *, heartbeat: float = HEARTBEAT) -> None:
        super().__init__(headers={"cache-control": "no-store"})  # FastAPI sends what is a Response as it is
        del self.headers["content-length"]
        self._stream = stream
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until it ends or the client is gone."""

        async def write(batch: Sequence[Sent]) -> None:
            text = (
                "".join(f"id: {at}\nevent: {topic}\ndata: {data}\n\n" for at, topic, data in batch) or ":\n\n"
            )
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        slow = await deliver(self._stream, write, _disconnected(receive), heartbeat=self._heartbeat)
        if slow:
            await abort(scope, _disconnected(receive))
            return
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> Message:
    while (message := await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass  # what it says is not for us
    return message


async def over_websocket(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the stream over an accepted WebSocket, a message each; pings are the server's business."""

    async def write(batch: Sequence[Sent]) -> None:
        for at, topic, data in batch:
            text = f'{{"id":"{at}","topic":"{topic}","data":{data}}}'
            await send({"type": "websocket.send", "text": text})

    gone = asyncio.ensure_future(_disconnected(receive))
    slow = await deliver(stream, write, asyncio.shield(gone))
    if slow:
        await abort(scope, gone)
    elif not gone.done():
        # 1012: the service restarts (IANA registry of RFC 6455); the client is to come back.
        await send({"type": "websocket.close", "code": 1012, "reason": "the stream has ended"})
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
