"""How long a request over TCP may take, and how long its client may take to read a piece of the answer.

What only reads is broken off. What changes something is not: it goes on to its end, and the client is told
to look. A caller on the Unix socket waits for as long as it likes, as `stratd stop` does.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.causes import Cause
from supervisor.problems import FAILED
from supervisor.schema import Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
log = logging.getLogger("stratd.api")


class Timeout:
    """ASGI middleware; ``seconds`` until an answer begins, and for each piece of it to be taken."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._left_behind: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, for a while."""
        state = scope.get("state", {})
        if scope["type"] != "http" or not state.get("over_tcp"):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._seconds)
        work = asyncio.ensure_future(self._app(scope, receive, answer.send))
        try:
            await asyncio.wait(
                {work, answer.begun}, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if work.done() or answer.begun.done():
                await work
                return
        except BaseException:
            work.cancel()  # the server ends
            if not answer.stalled:
                raise
            log.info("cut off a client that does not read its answer")
            state["transport"].abort()
            return
        answer.closed = True
        await self._give_up(work, scope, send)

    async def _give_up(self, work: asyncio.Future[None], scope: Scope, send: Send) -> None:
        safe = scope["method"] in SAFE
        if safe:
            work.cancel()
        cause: Cause | None = scope["state"].get("cause")
        if cause is not None:  # what goes on is still its doing
            cause.hold()
            work.add_done_callback(lambda _work: cause.release())
        self._left_behind.add(work)
        work.add_done_callback(self._ended)
        after = "it was broken off" if safe else "it goes on; look at what became of it"
        title = f"not done within {self._seconds:g} s: {after}"
        await refuse(Problem(type=FAILED, title=title, status=HTTPStatus.GATEWAY_TIMEOUT), scope, send)

    def _ended(self, work: asyncio.Future[None]) -> None:
        self._left_behind.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("a request that had been answered with 504 failed", exc_info=error)


class _Answer:
    """An answer on its way; ``closed`` when its request has been given another one, or nobody reads it."""

    def __init__(self, send: Send, seconds: float) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False
        self.stalled = False
        self._send = send
        self._seconds = seconds

    async def send(self, message: Message) -> None:
        if self.closed:
            return
        if not self.begun.done():
            self.begun.set_result(None)
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            self.closed = self.stalled = True
            raise OSError("the client does not read its answer") from None
