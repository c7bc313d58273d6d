"""How a message leaves: what every kind of target does, and how it says that it could not."""

from __future__ import annotations

from typing import Protocol

from supervisor.notifying.wording import Message


class ChannelError(Exception):
    """A message was not delivered; the sentence says why, and has no secret of the target."""


class NotDelivered(ChannelError):
    """It may be tried again, after ``retry_after`` seconds if the other end has said so."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(why)


class Undeliverable(ChannelError):
    """The other end will never take this message."""


class Channel(Protocol):
    """One target's way out. What it sends is one message at a time."""

    async def send(self, message: Message) -> str:
        """Deliver; return what the other end said, "" for nothing. Raises ``ChannelError``.

        It may take for ever: whoever calls it gives it a time, and cancels it then.
        """
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
