"""One message of the stream, and who gets it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct

from supervisor.streaming.topics import Topic

_json: Final = msgspec.json.Encoder().encode


class Piece(Struct, frozen=True):
    """What a message of the topic metrics says of one deployment: JSON, and whose it is."""

    account: str
    data: str


class Message(Struct, frozen=True, kw_only=True):
    """``data`` is JSON in one line, made once for all listeners.

    ``seq`` numbers it in its ``source``: the event log, or the journal; what only says how something is now
    has neither. ``pieces`` by deployment belong to the topic metrics, whose ``data`` is an open object
    without them.
    """

    topic: Topic
    data: str
    source: Literal["", "event", "record"] = ""
    seq: int = 0
    deployment_id: str = ""
    account: str = ""
    pieces: Mapping[str, Piece] | None = None


class Subscription(Struct, frozen=True):
    """What one listener wants: ``topics``, of one deployment if it is named, and of one account if bound.

    ``key`` is the id of the key that it showed, "" for a peer of the Unix socket.
    """

    topics: frozenset[Topic]
    deployment_id: str = ""
    account: str = ""
    key: str = ""

    def wants(self, message: Message) -> bool:
        """Whether it is sent ``message``. Feeds and the daemon's figures belong to nobody: all see them."""
        if message.topic not in self.topics:
            return False
        if message.topic in ("feeds", "metrics"):
            return True
        if self.deployment_id and message.deployment_id != self.deployment_id:
            return False
        return not self.account or message.account == self.account

    def data(self, message: Message) -> str:
        """Return the JSON that it is sent of ``message``."""
        if message.pieces is None:
            return message.data
        mine = (
            f"{quoted(name)}:{piece.data}"
            for name, piece in message.pieces.items()
            if self.deployment_id in ("", name) and self.account in ("", piece.account)
        )
        return f'{message.data}"deployments":{{{",".join(mine)}}}}}'


def quoted(text: str) -> str:
    """Return ``text`` as a JSON string."""
    return _json(text).decode()


def metrics(figures: Mapping[str, object], pieces: Mapping[str, Piece]) -> Message:
    """Return the message of the topic metrics: ``figures`` of the daemon, ``pieces`` by deployment."""
    head = _json(figures).decode()[:-1]
    return Message(topic="metrics", data=head + ("," if figures else ""), pieces=pieces)
