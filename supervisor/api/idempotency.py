"""``Idempotency-Key``: a POST that is sent again is not done again (rules: supervisor/keys/answers.py).

Answers are remembered in memory for a day. What starts deployments or commands one is written to the database
besides, before it is done and after: who lost an answer to a crash of the daemon may ask again, and nothing
is done twice. If the crash came in between, nobody knows what became of it, and that is the answer (409).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from msgspec import Struct, structs
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.api.caller import asking
from supervisor.keys.answers import Answer, Answers, fingerprint_of, key_of, name_of
from supervisor.problems import FAILED, INVALID
from supervisor.schema import Problem
from supervisor.store.deployments import StoreError

HEADER: Final = b"idempotency-key"
DURABLE: Final = frozenset({"/api/v1/execute", "/api/v1/deployments"})
"""What is remembered over a restart, too: routes that start what costs money to start twice, and commands."""
COMMAND: Final = re.compile(r"/api/v1/deployments/[^/]+/command")
MOST_BODY: Final = 2**20
"""A longer answer is not remembered, and that is said to who asks again."""
ANEW: Final = frozenset({401, 403, 412, 429})
"""Statuses of a request that was not let through: asked for again, it is judged again."""
REPLAYED: Final = (b"idempotency-replayed", b"true")
log = logging.getLogger("stratd.api")


class Kept(Protocol):
    """Where durable answers are (supervisor/store/answers.py). It blocks; raises ``StoreError``."""

    def find(self, name: str, now: int) -> Answer | None:
        """Return what is kept."""
        ...

    def put(self, name: str, answer: Answer) -> None:
        """Keep it."""
        ...

    def forget(self, name: str) -> None:
        """Keep it no more."""
        ...


class Durable(Struct, frozen=True):
    """The store of answers, and how it is asked without holding up the loop."""

    store: Kept
    in_database: Callable[[Callable[[], Any]], Awaitable[Any]]


class Idempotency:
    """ASGI middleware."""

    def __init__(
        self, app: ASGIApp, durable: Durable | None = None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._app = app
        self._durable = durable
        self._clock = clock
        self._answers = Answers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that was answered before, pass on any other."""
        header = _header(scope)
        if header is None:
            await self._app(scope, receive, send)
            return
        key = key_of(header)
        if key is None:
            line = f"Idempotency-Key = {header[:80]!r}: must be 1 to 255 printable characters, quoted or not"
            await _refuse(scope, send, 422, line)
            return
        try:
            body = await _body(receive)
        except HTTPException as error:  # it is too large
            await _refuse(scope, send, error.status_code, str(error.detail))
            return
        if body is None:
            return  # the client went away
        who = asking.get()
        request = _Request(
            name=name_of(f"{who.key}\0{who.name}", key),
            fingerprint=fingerprint_of("POST", f"{scope['path']}?{scope['query_string'].decode()}", body),
            body=body,
            durable=self._durable if _outlives(scope["path"]) else None,
        )
        try:
            await self._once(request, scope, receive, send)
        except StoreError as error:
            await _refuse(scope, send, 503, f"an Idempotency-Key cannot be kept now: {error}")

    async def _once(self, request: _Request, scope: Scope, receive: Receive, send: Send) -> None:
        now = self._clock()
        found = self._answers.find(request.name, now)
        here = found is not None
        if found is None:
            # Noted before anything is waited for: a second one that comes meanwhile finds it.
            self._answers.put(request.name, Answer(fingerprint=request.fingerprint, at=now))
            try:
                found = await request.kept(now)
            except BaseException:
                self._answers.forget(request.name)
                raise
        if found is None:
            await self._first(request, now, scope, receive, send)
            return
        if not here:
            self._answers.put(request.name, found) if found.status else self._answers.forget(request.name)
        await _again(found, request, scope, send, lost=not here)

    async def _first(self, request: _Request, now: int, scope: Scope, receive: Receive, send: Send) -> None:
        begun = Answer(fingerprint=request.fingerprint, at=now)
        kept = False

        async def keep(answer: Answer) -> None:
            nonlocal kept
            kept = True
            self._answers.put(request.name, answer)
            try:
                await request.keep(answer)
            except StoreError as error:  # it was done: after a restart it counts as not known
                log.warning("an answer could not be kept for its Idempotency-Key: %s", error)

        try:
            await request.keep(begun)
            await self._app(scope, _replay(request.body, receive), _Heard(send, begun, keep).send)
        finally:
            # What failed in the daemon (5xx), or was not let in, may be asked again, and is then done.
            if not kept:
                self._answers.forget(request.name)
                await request.forget()


class _Request(Struct, frozen=True):
    name: str
    fingerprint: str
    body: bytes
    durable: Durable | None

    async def kept(self, now: int) -> Answer | None:
        if (durable := self.durable) is None:
            return None
        found: Answer | None = await durable.in_database(lambda: durable.store.find(self.name, now))
        return found

    async def keep(self, answer: Answer) -> None:
        if (durable := self.durable) is not None:
            await durable.in_database(lambda: durable.store.put(self.name, answer))

    async def forget(self) -> None:
        if (durable := self.durable) is not None:
            await durable.in_database(lambda: durable.store.forget(self.name))


class _Heard:
    """Passes an answer on, and has it kept before its last piece goes out: who has read it may ask again."""

    def __init__(self, send: Send, begun: Answer, keep: Callable[[Answer], Awaitable[None]]) -> None:
        self._send = send
        self._begun = begun
        self._keep = keep
        self._status = 0
        self._media = ""
        self._secret = False
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", []))
            self._status = message["status"]
            self._media = headers.get(b"content-type", b"").decode("latin-1")[:100]
            self._secret = b"no-store" in headers.get(b"cache-control", b"")
        elif message["type"] == "http.response.body":
            if len(self._body) <= MOST_BODY:
                self._body += message.get("body", b"")
            if not message.get("more_body", False) and _stands(self._status):
                await self._keep(self._answer())
        await self._send(message)

    def _answer(self) -> Answer:
        kept = not self._secret and len(self._body) <= MOST_BODY
        body = bytes(self._body) if kept else b""
        return structs.replace(self._begun, status=self._status, media=self._media if kept else "", body=body)


def _outlives(path: str) -> bool:
    return path in DURABLE or COMMAND.fullmatch(path) is not None


def _stands(status: int) -> bool:
    """Whether an answer is the last word on its request; of 504 nobody knows, so it is not done again."""
    return (status < 500 and status not in ANEW) or status == 504


async def _again(found: Answer, request: _Request, scope: Scope, send: Send, *, lost: bool) -> None:
    if found.fingerprint != request.fingerprint:
        await _refuse(scope, send, 422, "this Idempotency-Key was used for another request: take a new one")
    elif found.status == 0:
        line = "the request with this Idempotency-Key is still worked on: ask again in a moment"
        if lost:
            line = "the daemon ended while it worked on this: look at what became of it, then take a new key"
        await _refuse(scope, send, 409, line)
    elif not found.media and found.status != 204:
        await _refuse(scope, send, 409, "this was done, and its answer is not kept: it is shown only once")
    else:
        headers = [(b"content-type", found.media.encode("latin-1"))] if found.media else []
        length = (b"content-length", str(len(found.body)).encode())
        start = {"type": "http.response.start", "status": found.status}
        await send({**start, "headers": [*headers, length, REPLAYED]})
        await send({"type": "http.response.body", "body": found.body})


def _header(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    found = next((value for name, value in scope["headers"] if name == HEADER), None)
    return None if found is None else str(found.decode("latin-1"))


async def _body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(scope: Scope, send: Send, status: int, line: str) -> None:
    kind = FAILED if status in {409, 503} else INVALID
    await refuse(Problem(type=kind, title=line, status=status), scope, send)
