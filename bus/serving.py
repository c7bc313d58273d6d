"""A publisher's answers to who missed something: keeps what it published, beside its PUB (docs/feeds.md)."""

from __future__ import annotations

import os
import re
import time
from types import TracebackType
from typing import Self

from bus.feeds.recovery import RecoveryRefused, decode_question, refuse
from bus.feeds.shelf import CAPACITY, Shelf
from bus.messages import encode
from bus.sockets import RecoverySocket

PORTS = 20
"""Ports after that of the feed that are tried."""
_TCP = re.compile(r"tcp://(.+):(\*|\d+)")
_HERE = {"localhost", "127.0.0.1", "[::1]"}


class Serving:
    """Bound at once; ``serve`` is to be called often, instead of waiting. Whoever makes one closes it.

    ``refused`` counts questions that cannot be used, by reason, with the last ``examples``; ``given`` the
    messages that were given out.
    """

    def __init__(self, endpoint: str, capacity: int = CAPACITY) -> None:
        self._socket = RecoverySocket(endpoint)
        self._shelf = Shelf(capacity)
        self.endpoint = self._socket.endpoint
        self.given = 0
        self.refused: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def keep(self, topic: bytes, payload: bytes, symbol: str, seq: int | None) -> None:
        """Keep what is published: a tick with its number, or a bar without one."""
        self._shelf.put(topic, payload, symbol, -1 if seq is None else seq)

    def serve(self, seconds: float) -> None:
        """Answer what is asked within so many seconds; without waiting, one question at most.

        An answer takes some ms at most (``bus.feeds.shelf.SCAN``): by so much this may be late.
        """
        until = time.monotonic() + seconds
        while self._socket.wait(max(0.0, until - time.monotonic())):
            self._answer_one()
            if time.monotonic() >= until:
                return
        left = until - time.monotonic()
        if left > 0:
            time.sleep(left)  # a socket waits whole milliseconds

    def _answer_one(self) -> None:
        for envelope, payload in self._socket.questions():
            try:
                answer = self._shelf.answer(decode_question(payload))
            except RecoveryRefused as refused:
                self.refused[refused.reason] = self.refused.get(refused.reason, 0) + 1
                self.examples[refused.reason] = str(refused)
                self._socket.answer(envelope, refuse(refused))
            else:
                self.given += len(answer.messages)
                self._socket.answer(envelope, encode(answer))
            return

    def close(self) -> None:
        """Stop serving. Twice is fine."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_serving(feed: str, mode: str, wanted: str) -> Serving | None:
    """Serve beside the publisher of ``feed``: at ``wanted``, where it may (``auto``), or nowhere (``off``).

    ``OSError`` if the endpoint that is wanted cannot be had. With ``auto`` it may also be None: where none
    of the places that subscribers would believe is free (bus.feeds.recovery.place).
    """
    if wanted == "off":
        return None
    if wanted != "auto":
        return Serving(wanted)
    for endpoint in places(feed, mode, os.getpid()):
        try:
            return Serving(endpoint)
        except OSError:
            continue
    return None


def places(feed: str, mode: str, pid: int) -> list[str]:
    """Where a publisher of ``feed`` may serve without being told: beside it, and believed by its subscribers.

    Several publishers may connect to one feed, so there each has a name or a port of its own; and where that
    feed is on another host, it has none: nobody there would know this one.
    """
    if feed.startswith("ipc://"):
        return [f"{feed}.recovery" if mode == "bind" else f"{feed}.{pid}.recovery"]
    found = _TCP.fullmatch(feed)
    if found is None:
        return []
    host, port = found.groups()
    if mode == "connect":
        return [f"tcp://{host}:*"] if host.lower() in _HERE else []
    if port == "*":
        return [f"tcp://{host}:*"]
    return [f"tcp://{host}:{int(port) + n}" for n in range(1, PORTS + 1) if int(port) + n <= 65535]
