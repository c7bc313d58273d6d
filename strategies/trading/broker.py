"""The paper broker: market orders wait here for their tick.

The rule, and which way each part of it errs:

- An order fills at the first tick of its symbol that arrives after its acceptance and is not older than
  the data behind the signal. So never at the price that the strategy saw. No latency is added beyond
  that tick: errs towards the strategy when it could not have been that fast.
- A buy fills at the ask, a sell at the bid: the whole spread is paid, which errs against the strategy
  (no price improvement). On a crossed quote a buy fills at the bid, a sell at the ask: the worse of both,
  for a spread below zero is never earned. A tick with the last trade only fills at that trade: errs
  towards it by up to half a spread. A tick with the wrong side only (a bid, for a buy) fills nothing.
- The whole order fills, whatever the size on offer: errs towards large orders.
- A tick outside every session fills nothing. Neither does a late one of before the signal.

Commission, slippage, volume share, limit and stop orders come with their own issue and fill here too.
"""

from __future__ import annotations

from bus.messages import TICK_OUT_OF_SESSION, Tick
from strategies.trading.orders import Order, combine


def execution(order: Order, tick: Tick) -> float | None:
    """Return the price at which ``tick`` fills ``order``, None if it does not."""
    if tick.ts < order.data_as_of or tick.flags & TICK_OUT_OF_SESSION:
        return None
    bid, ask = tick.bid, tick.ask
    if bid is not None and ask is not None and bid > ask:
        bid, ask = ask, bid
    return (ask if order.quantity > 0 else bid) or tick.last


class PaperBroker:
    """Orders that wait, by symbol and deployment, each list in the order of acceptance."""

    def __init__(self) -> None:
        self._orders: dict[str, dict[str, list[Order]]] = {}

    def waits(self, symbol: str) -> bool:
        """Whether any order waits for ``symbol``: asked for every tick."""
        return symbol in self._orders

    def place(self, order: Order) -> None:
        """Let ``order`` wait for its tick."""
        self._orders.setdefault(order.symbol, {}).setdefault(order.deployment_id, []).append(order)

    def waiting(self, deployment_id: str, symbol: str) -> list[Order]:
        """Return the orders of one deployment that wait for ``symbol``, oldest first."""
        return self._orders.get(symbol, {}).get(deployment_id, [])

    def cancellable(self, deployment_id: str, symbol: str, leg: str) -> list[Order]:
        """Return the waiting orders that a cancel means: those of ``leg``, or all when it is empty."""
        return [order for order in self.waiting(deployment_id, symbol) if not leg or order.leg == leg]

    def pending(self, deployment_id: str, symbol: str) -> tuple[float, float, int]:
        """Return the signed sum of the buys that wait, that of the sells, and how many orders they are."""
        if symbol not in self._orders:
            return 0.0, 0.0, 0
        orders = self.waiting(deployment_id, symbol)
        buying = selling = 0.0
        for order in orders:
            if order.quantity > 0:
                buying = combine(buying, order.quantity)
            else:
                selling = combine(selling, order.quantity)
        return buying, selling, len(orders)

    def match(self, tick: Tick, number: int | None = None) -> list[tuple[Order, float]]:
        """Return the orders that ``tick`` fills, each with its price; ``remove`` takes them out.

        ``number`` is said of a tick that may have been looked at before: then older orders only.
        """
        return [
            (order, price)
            for orders in self._orders.get(tick.symbol, {}).values()
            for order in orders
            if (number is None or number > order.after) and (price := execution(order, tick)) is not None
        ]

    def remove(self, deployment_id: str, symbol: str, order_id: str) -> None:
        """Take out one order, filled or cancelled."""
        mine = self._orders[symbol]
        mine[deployment_id] = [order for order in mine[deployment_id] if order.order_id != order_id]
        if not mine[deployment_id]:
            del mine[deployment_id]
        if not mine:
            del self._orders[symbol]

    def everything(self) -> list[Order]:
        """Return every order that waits, by acceptance."""
        every = (o for mine in self._orders.values() for orders in mine.values() for o in orders)
        return sorted(every, key=lambda order: order.seq)
