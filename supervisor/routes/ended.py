"""Orders of a route that have ended: what a venue says of one after that has to be heard by somebody. Pure.

An order ends with the first word of its venue that says so. A fill that is told later, as a cancellation and
a trade may cross on their way, is in no books any more, and yet it is held.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from strategies.trading.orders import DUST, Order
from supervisor.routes.route import Answer

MOST: Final = 10_000
"""Orders that are remembered, the last ones."""


class Known(Struct, frozen=True):
    """An order that has ended, and how much of it (unsigned) is known to have filled."""

    order: Order
    filled: float


class Ended:
    """The last orders that ended, by id."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, Known] = {}

    def keep(self, order: Order, answer: Answer | None) -> None:
        """Remember an order with the last answer about it."""
        self._known.pop(order.order_id, None)
        self._known[order.order_id] = Known(order, abs(order.filled) if answer is None else answer.filled)
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def late(self, order_id: str, answer: Answer) -> Known | None:
        """Return what was known of an order that ``answer`` says has filled beyond that; None if it does not.

        It is known from then on, so that each fill is told once.
        """
        known = self._known.get(order_id)
        if known is None or answer.filled <= known.filled + DUST * abs(known.order.quantity):
            return None
        self._known[order_id] = Known(known.order, answer.filled)
        return known
