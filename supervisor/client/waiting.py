"""Carrying requests out by waiting for each answer: all that a client needs but its methods.

The command line imports this, and neither the methods nor what describes their requests.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from supervisor.client.answers import Answer, accepted
from supervisor.client.call import Call
from supervisor.client.errors import ClientError, Unavailable, Unreachable
from supervisor.client.following import Following, began
from supervisor.client.messages import Message, Messages
from supervisor.client.place import Certificate
from supervisor.client.retrying import pause_before
from supervisor.client.session import chance, open_session
from supervisor.client.wire import Wire


class Asking:
    """Carries descriptions of requests out, one after the other, from any thread.

    ``url`` is ``https://HOST:PORT``, ``http://HOST:PORT`` or the path of a Unix socket; None finds the socket
    as the command line does. ``key`` is an API key, needed over TCP; ``verify`` the file of an authority to
    trust (False: anybody), ``cert`` a certificate of one's own. ``timeout`` in seconds is for every answer
    instead of what its request allows; ``retries`` how often to ask again where nothing can be done twice.
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
        self._wire = Wire(self._session.place, self._session.tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections that wait to be used again; the client can be used on."""
        self._wire.close()

    @property
    def place(self) -> str:
        """Where the daemon is, as it is named in messages."""
        return self._session.place.text

    def ask(self, call: Call[Any]) -> Answer:
        """Carry out ``call`` and return the answer as it came: what methods decode. Raises on any refusal."""
        call, headers, retry = self._session.patient(call), self._session.headers(call), 0
        while True:
            try:
                return accepted(self._wire.exchange(call, headers))
            except ClientError as error:
                retry += 1
                pause = pause_before(retry, error, self._session.policy, chance())
                if pause is None:
                    raise
            time.sleep(pause)

    def follow(
        self,
        topics: Sequence[str] | None = None,
        *,
        deployment_id: str | None = None,
        last_event_id: str | None = None,
        patience: float = 60.0,
    ) -> Iterator[Message]:
        """Yield what happens as it happens, for ever: of ``topics``, of one deployment or of all.

        Topics are deployments, signals, orders, logs, metrics, feeds and events; all but logs if none is
        named. Without ``last_event_id`` it begins with what is now, with one behind that message. A daemon
        that goes away is waited for, ``patience`` seconds; only then ``Unreachable`` is raised.
        """
        following = Following(topics, deployment_id, last_event_id, patience)
        while True:
            ended: ClientError | None = None
            try:
                for message in self._messages(following.call()):
                    following.took(message)
                    yield message
            except (Unreachable, Unavailable) as error:
                ended = error
            time.sleep(following.pause(ended, time.monotonic(), chance()))

    def _messages(self, call: Call[Any]) -> Iterator[Message]:
        messages = Messages()
        with self._wire.stream(self._session.patient(call), self._session.headers(call)) as stream:
            began(stream.rest() if stream.status >= 300 else stream.head)
            for piece in stream.pieces():
                yield from messages.feed(piece)

    def lines(self, call: Call[Any]) -> Iterator[bytes]:
        """Yield the lines of the answer to ``call`` as they come; never asked again."""
        with self._wire.stream(self._session.patient(call), self._session.headers(call)) as stream:
            accepted(stream.rest() if stream.status >= 300 else stream.head)
            yield from stream.lines()
