"""Server-sent events (WHATWG HTML, 9.2.6), byte by byte into messages. Pure: bytes in, messages out."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from supervisor.client.errors import Garbled

MOST: Final = 16 * 2**20
"""Bytes of one message; what is longer comes from no daemon."""


class Message(NamedTuple):
    """One thing that happened. ``id`` is where to go on after it (``follow(last_event_id=...)``)."""

    id: str
    topic: str
    data: dict[str, Any]


class Messages:
    """Takes the bytes of one connection in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._topic = ""
        self._id = ""

    def feed(self, piece: bytes) -> list[Message]:
        """Return the messages that ``piece`` completes. ``Garbled`` for what is no message of the daemon."""
        # The last line may have only begun; the daemon ends lines by \n or \r\n, never by \r alone.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) + sum(map(len, self._data)) > MOST:
            raise Garbled(f"the daemon's stream has a message of more than {MOST} bytes")
        found = (self._line(line.removesuffix(b"\r")) for line in lines)
        return [message for message in found if message is not None]

    def _line(self, line: bytes) -> Message | None:
        if not line:
            return self._dispatch()
        try:
            field, _, value = line.decode().partition(":")
        except UnicodeDecodeError:
            raise Garbled("the daemon's stream is not UTF-8") from None
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._topic = value
        elif field == "id":
            self._id = value
        return None

    def _dispatch(self) -> Message | None:
        data, topic = "\n".join(self._data), self._topic or "message"
        self._data, self._topic = [], ""
        if not data:
            return None
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise Garbled(f"the daemon's stream has a message of {topic!r} that is no JSON object")
        return Message(self._id, topic, content)
