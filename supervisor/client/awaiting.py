"""Carrying requests out on an event loop, over httpx2, whose pool and TLS know asyncio."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from supervisor.client import wording
from supervisor.client.answers import Answer, accepted
from supervisor.client.call import Call
from supervisor.client.errors import ClientError, Unavailable, Unreachable
from supervisor.client.following import Following, began
from supervisor.client.messages import Message, Messages
from supervisor.client.place import Certificate, Place
from supervisor.client.retrying import pause_before
from supervisor.client.session import chance, open_session
from supervisor.client.wire import CONNECT_TIMEOUT, FRESH, MOST_BYTES


class AsyncAsking:
    """Carries descriptions of requests out on the running event loop, as many at once as are awaited.

    The arguments are those of ``synchronous.Asking``. ``async with`` closes its connections.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        key: str | None = None,
        verify: bool | str | Path | ssl.SSLContext | None = None,
        cert: Certificate | None = None,
        timeout: float | None = None,
        retries: int = 2,
    ) -> None:
        self._session = open_session(
            url, key=key, verify=verify, cert=cert, timeout=timeout, retries=retries, environ=os.environ
        )
        place = self._session.place
        transport = httpx2.AsyncHTTPTransport(
            verify=self._session.tls or True,
            uds=str(place.socket) if place.socket else None,
            limits=httpx2.Limits(keepalive_expiry=FRESH),
        )
        scheme = "https" if place.tls else "http"
        # trust_env: a proxy of the environment is not asked, as it is not by the client that waits.
        self._http = httpx2.AsyncClient(
            transport=transport, base_url=f"{scheme}://{place.authority}{place.base}", trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; the client cannot be used on."""
        await self._http.aclose()

    @property
    def place(self) -> str:
        """Where the daemon is, as it is named in messages."""
        return self._session.place.text

    async def ask(self, call: Call[Any]) -> Answer:
        """Carry out ``call`` and return the answer as it came: what methods decode. Raises on any refusal."""
        call, headers, retry = self._session.patient(call), self._session.headers(call), 0
        while True:
            try:
                return accepted(await self._exchange(call, headers))
            except ClientError as error:
                retry += 1
                pause = pause_before(retry, error, self._session.policy, chance())
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def follow(
        self,
        topics: Sequence[str] | None = None,
        *,
        deployment_id: str | None = None,
        last_event_id: str | None = None,
        patience: float = 60.0,
    ) -> AsyncIterator[Message]:
        """Yield what happens as it happens, for ever: of ``topics``, of one deployment or of all.

        Topics are deployments, signals, orders, logs, metrics, feeds and events; all but logs if none is
        named. Without ``last_event_id`` it begins with what is now, with one behind that message. A daemon
        that goes away is waited for, ``patience`` seconds; only then ``Unreachable`` is raised.
        """
        following = Following(topics, deployment_id, last_event_id, patience)
        while True:
            ended: ClientError | None = None
            try:
                async for message in self._messages(following.call()):
                    following.took(message)
                    yield message
            except (Unreachable, Unavailable) as error:
                ended = error
            await asyncio.sleep(following.pause(ended, time.monotonic(), chance()))

    async def _messages(self, call: Call[Any]) -> AsyncIterator[Message]:
        messages = Messages()
        async with self._stream(self._session.patient(call), self._session.headers(call)) as response:
            began(await _head(response))
            async for piece in response.aiter_raw():
                for message in messages.feed(piece):
                    yield message

    async def lines(self, call: Call[Any]) -> AsyncIterator[bytes]:
        """Yield the lines of the answer to ``call`` as they come; never asked again."""
        async with self._stream(self._session.patient(call), self._session.headers(call)) as response:
            accepted(await _head(response))
            rest = b""
            async for piece in response.aiter_raw():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line + b"\n"
            if rest:
                yield rest

    async def _exchange(self, call: Call[Any], headers: dict[str, str]) -> Answer:
        try:
            async with asyncio.timeout(call.timeout), self._stream(call, headers) as response:
                pieces, size = [], 0
                async for piece in response.aiter_raw():
                    pieces.append(piece)
                    size += len(piece)
                    if size > MOST_BYTES:
                        raise wording.too_long(self._session.place, MOST_BYTES)
                return Answer(response.status_code, dict(response.headers), b"".join(pieces))
        except TimeoutError:
            raise wording.silent(self._session.place) from None

    @asynccontextmanager
    async def _stream(self, call: Call[Any], headers: dict[str, str]) -> AsyncIterator[httpx2.Response]:
        timeout = httpx2.Timeout(call.timeout, connect=CONNECT_TIMEOUT)
        # httpx2 would ask for a compressed answer, which the other client does not read.
        sent = {"Accept-Encoding": "identity", **headers}
        try:
            async with self._http.stream(
                call.method, call.target, content=call.body, headers=sent, timeout=timeout
            ) as response:
                yield response
        except httpx2.TransportError as error:
            raise _of_transport(self._session.place, error) from None


async def _head(response: httpx2.Response) -> Answer:
    """Return the answer without its body; with it where it is a refusal, which is short."""
    body = await response.aread() if response.status_code >= 300 else b""
    return Answer(response.status_code, dict(response.headers), body)


def _of_transport(place: Place, error: httpx2.TransportError) -> ClientError:
    """Return what httpx2 means, in the words of the other client."""
    cause = _root(error)
    if isinstance(error, httpx2.TimeoutException):
        return wording.silent(place)
    if isinstance(cause, OSError):
        return wording.of_os_error(place, cause)
    if isinstance(error, httpx2.RemoteProtocolError):
        # It is the same error for one that hangs up and for one that speaks something else.
        gone = "disconnected" in str(error) or "incomplete" in str(error) or "closed" in str(error)
        return wording.went_away(place) if gone else wording.no_http(place)
    return wording.nobody(place) if isinstance(error, httpx2.ConnectError) else wording.went_away(place)


def _root(error: BaseException) -> BaseException:
    """Return what an error was raised for in the end: the one of the operating system, if there is one."""
    while not isinstance(error, OSError) and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__ or error
    return error
