"""What a kind of route has to be able to do, and what it may answer. Third parties implement ``Route``.

A package offers a kind by an entry point of the group ``stratd.routes``, named as ``kind`` in [routes.NAME]::

    [project.entry-points."stratd.routes"]
    mybroker = "mybroker.stratd:open_route"

It is a function ``open_route(spec: RouteSpec) -> Route``, imported only when the configuration names it.
It runs in the supervisor, with the supervisor's rights: install what you trust.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

from strategies.trading.orders import Order

Status: TypeAlias = Literal["sent", "working", "filled", "cancelled", "rejected", "expired"]
"""What a venue says of an order. ``sent``: taken by whoever is in between, not yet heard of by the venue."""


class Answer(Struct, frozen=True, kw_only=True):
    """What is known of an order at the other end. Sums are whole, so that an answer may come twice.

    ``filled`` is unsigned; ``average_price`` and ``fees`` are over all of it, in the instrument's currency.
    """

    status: Status
    filled: float = 0.0
    average_price: float | None = None
    fees: float = 0.0
    venue_id: str = ""
    detail: str = ""


class Sendable(Struct, frozen=True):
    """An order, and what its symbol is called at the other end."""

    order: Order
    symbol: str


class RouteError(Exception):
    """No answer; the sentence says why and holds no secret.

    ``retry_after``: seconds until it may be tried again, if the other end has said so.
    """

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Unreachable(RouteError):
    """The order may have been taken, or not: it is asked for, and never sent under another id."""


class NotTaken(RouteError):
    """It was certainly not taken, and may be tried again.

    ``busy``: the other end lives and asks for patience; that is no reason to cut the route off.
    """

    def __init__(self, why: str, *, retry_after: float | None = None, busy: bool = False) -> None:
        super().__init__(why, retry_after=retry_after)
        self.busy = busy


class Refused(RouteError):
    """It was certainly not taken and never will be: the other end has said no to this order."""


class RouteUnusable(Exception):
    """A route cannot be opened; the sentence says why."""


Told: TypeAlias = Callable[[str, Answer], None]
"""Takes what a route says by itself of the order with an id."""


class Route(Protocol):
    """One way out. Calls come from one event loop, several at a time; each may be cancelled at any point.

    The courier limits how long a call may take. Every failure is a ``RouteError``; which one decides whether
    an order can be lost or doubled, so if in doubt it is ``Unreachable``.
    """

    async def start(self, told: Told) -> None:
        """Begin, without waiting for the other end; ``told`` takes what comes unasked from now on."""
        ...

    async def send(self, order: Sendable) -> Answer:
        """Hand an order over under its id; one that is known there already must not be taken twice."""
        ...

    async def query(self, order_id: str) -> Answer | None:
        """Ask for an order; None: the other end says that it has never heard of it."""
        ...

    async def cancel(self, order_id: str) -> Answer | None:
        """Take an order back; return how it stands now.

        None: it was never heard of, and from now on an order with this id will not be taken.
        """
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...
