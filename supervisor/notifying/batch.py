"""Events on their way to one target in one message, however many there are: the gravest listed. Pure."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from supervisor.notifying.severity import SEVERITIES, Severity, severity_of
from supervisor.store.tables import Event

LISTED: Final = 20
"""Events of a message that are told one by one; of the others it says how many there were of each kind."""


class Item(Struct, frozen=True):
    """One event that is told, and whose it is."""

    event: Event
    account: str
    severity: Severity


class Batch(Struct, frozen=True, kw_only=True):
    """``items`` ascending by number; ``more`` counts by kind what is not listed.

    ``first`` and ``last`` are the numbers between which all of them are, listed or not; 0 while it is empty.
    """

    items: tuple[Item, ...] = ()
    more: dict[str, int] = {}
    first: int = 0
    last: int = 0

    @property
    def count(self) -> int:
        """How many events it is of."""
        return len(self.items) + sum(self.more.values())

    @property
    def severity(self) -> Severity:
        """The gravest of them."""
        return max((one.severity for one in self.items), key=SEVERITIES.index, default="info")


def added(batch: Batch, event: Event, account: str) -> Batch:
    """Return ``batch`` with one event more; the least grave, and of those the newest, is not listed."""
    items = [*batch.items, Item(event, account, severity_of(event))]
    more = batch.more
    if len(items) > LISTED:
        left = min(items, key=lambda one: (SEVERITIES.index(one.severity), -one.event.seq))
        items.remove(left)
        more = {**more, left.event.kind: more.get(left.event.kind, 0) + 1}
    return replace(
        batch, items=tuple(items), more=more, first=batch.first or event.seq, last=max(batch.last, event.seq)
    )
