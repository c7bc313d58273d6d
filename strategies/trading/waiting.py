"""The orders of one symbol that wait, and the band of prices within which none of them does anything.

Most ticks touch no order. ``sleeps`` finds that out with a few comparisons, however many orders wait: the
highest price below which and the lowest above which one of them wakes are kept. Orders that every event
concerns (market, not yet seen, partly filled) leave no such band.
"""

from __future__ import annotations

import math

from bus.messages import Tick
from strategies.trading.matching import AT_ONCE, STOPS
from strategies.trading.orders import Order


class Waiting:
    """Orders of one symbol by deployment and id, each deployment's in the order of acceptance."""

    __slots__ = ("_above", "_awake", "_below", "_ends", "_expires", "_known", "orders")

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Order]] = {}
        self._survey()

    def put(self, order: Order) -> None:
        """Add an order, or replace the one of its id in its place."""
        self.orders.setdefault(order.deployment_id, {})[order.order_id] = order
        self._known = False

    def take(self, deployment_id: str, order_id: str) -> Order:
        """Take an order out and return it; ``KeyError`` if it does not wait."""
        mine = self.orders[deployment_id]
        order = mine.pop(order_id)
        if not mine:
            del self.orders[deployment_id]
        self._known = False
        return order

    def by_age(self) -> list[dict[str, Order]]:
        """Return the orders of each deployment, the one first whose oldest order is the oldest.

        Depends on the orders alone, so it is the same after a restart.
        """
        return sorted(self.orders.values(), key=lambda mine: next(iter(mine.values())).seq)

    @property
    def expires(self) -> int:
        """The earliest end of an order that is not being taken back already, 0 for none."""
        if not self._known:
            self._survey()
        return self._expires

    def sleeps(self, tick: Tick) -> bool:
        """Whether ``tick`` does nothing to any of them, found out without asking each."""
        if not self._known:
            self._survey()
        if self._awake or 0 < self._ends <= tick.ts:
            return False
        low, high = self._below, self._above
        for price in (tick.bid, tick.ask, tick.last):
            if price is not None and not low < price < high:
                return False
        return True

    def _survey(self) -> None:
        self._known, self._awake = True, False
        self._expires = self._ends = 0  # of all that can end, and of those that a tick ends: on paper
        self._below, self._above = -math.inf, math.inf
        for mine in self.orders.values():
            for order in mine.values():
                if not order.cancelling:
                    self._expires = _earlier(self._expires, order.expires_at)
                if not order.route:
                    self._mind(order)

    def _mind(self, order: Order) -> None:
        self._ends = _earlier(self._ends, order.expires_at)
        buying = order.quantity > 0
        if order.kind in STOPS and not order.triggered:
            price, from_below = order.stop_price, buying
        elif order.resting and order.time_in_force not in AT_ONCE:
            price, from_below = order.limit_price, not buying
        else:
            price, from_below = None, False
        if price is None:
            self._awake = True
        elif from_below:
            self._above = min(self._above, price)
        else:
            self._below = max(self._below, price)


def _earlier(one: int, other: int) -> int:
    """Return the earlier of two ends, of which 0 is none."""
    return min(one or other, other or one)
