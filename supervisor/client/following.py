"""Following what happens: which connection comes next, and whether there is one. Pure, but for its memory.

A connection that ends is followed by one that begins behind the last message (``Last-Event-ID``): the daemon
was restarted, or cut off a reader that was too slow for it. What is durable (signals, orders, events) comes
once each and in order, over any number of connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from supervisor.client.answers import Answer, accepted
from supervisor.client.call import Call, get
from supervisor.client.errors import ClientError, OtherVersion
from supervisor.client.messages import Message
from supervisor.client.retrying import FIRST, LONGEST

QUIET: Final = 60.0
"""Seconds without a byte after which a connection is dead: the daemon says something every 15."""
STREAM: Final = "text/event-stream"


class Following:
    """One reader. ``patience``: for how many seconds the daemon may be away."""

    def __init__(
        self,
        topics: Sequence[str] | None,
        deployment_id: str | None,
        last_event_id: str | None,
        patience: float,
    ) -> None:
        self._query = {"topics": None if topics is None else ",".join(topics), "deployment_id": deployment_id}
        self._last = last_event_id
        self._patience = patience
        self._lost_at: float | None = None
        self._tries = 0

    def call(self) -> Call[Any]:
        """Describe the next connection."""
        behind = (("Last-Event-ID", self._last),) if self._last else ()
        return get("events", self._query, timeout=QUIET)._replace(headers=(("Accept", STREAM), *behind))

    def took(self, message: Message) -> None:
        """Note that ``message`` came: the next connection begins behind it."""
        self._last, self._lost_at, self._tries = message.id or self._last, None, 0

    def pause(self, error: ClientError | None, now: float, chance: float) -> float:
        """Return the seconds until the next connection; raise ``error`` where the daemon was away too long.

        ``error`` None: the daemon ended the stream in order. ``now`` is monotonic, ``chance`` from 0 to 1.
        """
        if self._lost_at is None:
            self._lost_at = now
        if error is not None and now - self._lost_at >= self._patience:
            raise error
        self._tries += 1
        return float(min(FIRST * 2 ** min(self._tries - 1, 10), LONGEST) * (0.5 + chance / 2))


def began(answer: Answer) -> None:
    """Raise what the head of an answer says that is no stream of messages."""
    accepted(answer)
    if answer.headers.get("content-type", "").partition(";")[0].strip() != STREAM:
        raise OtherVersion("the daemon does not stream messages: it is another version than this stratd")
