"""Positions from fills and from nothing else: average cost, realised and unrealised profit.

Quantities and prices are doubles. Quantities that cancel give exactly 0.0 (``orders.DUST``). Money is
right to a relative 1e-9 of what was turned over: after any fills in any order, for one instrument,

    realised + unrealised  ==  cash paid and received (fees included) + quantity * last price

Average cost, not FIFO: the profit of a partial close is measured against the mean entry price of what
is held. The total is the same either way; only its split between realised and unrealised differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from bus.messages import Fill, Position
from strategies.trading.orders import combine


def after(position: Position, quantity: float, price: float, fee: float = 0.0) -> Position:
    """Return ``position`` once ``quantity`` (signed, not zero) has traded at ``price``.

    ``realised`` is net of every fee so far, those of entries included: a fee is lost when it is paid.
    The mark is left unknown, since the caller knows the price.
    """
    held = position.quantity
    now = combine(held, quantity)
    profit = 0.0
    if held == 0.0:
        average = price
    elif (held > 0) == (quantity > 0):  # added to
        average = (position.average_price * held + price * quantity) / (held + quantity)
    else:
        closed = min(abs(held), abs(quantity))
        profit = closed * (price - position.average_price) * (1 if held > 0 else -1)
        flipped = now != 0.0 and (now > 0) != (held > 0)
        average = price if flipped else position.average_price
    return replace(
        position,
        quantity=now,
        average_price=average if now else 0.0,
        realised=position.realised + profit - fee,
        unrealised=None,
        fees=position.fees + fee,
    )


def marked(position: Position, price: float | None) -> Position:
    """Return ``position`` with its profit at ``price``; None while it is unknown and something is held."""
    if position.quantity == 0.0:
        return replace(position, unrealised=0.0)
    if price is None:
        return replace(position, unrealised=None)
    return replace(position, unrealised=(price - position.average_price) * position.quantity)


class Books:
    """The positions of every deployment. ``apply`` is the only way in while trading."""

    def __init__(self) -> None:
        self._positions: dict[str, dict[str, Position]] = {}

    def apply(self, fill: Fill) -> Position:
        """Enter one fill and return the position after it, unmarked."""
        position = after(self.position(fill.deployment_id, fill.symbol), fill.quantity, fill.price, fill.fee)
        self.put(position)
        return position

    def put(self, position: Position) -> None:
        """Take over a position as it stands: from a snapshot of the journal."""
        self._positions.setdefault(position.deployment_id, {})[position.symbol] = replace(
            position, unrealised=None
        )

    def held(self, deployment_id: str, symbol: str) -> float:
        """Return the signed quantity that ``deployment_id`` holds of ``symbol``."""
        position = self._positions.get(deployment_id, _NOTHING).get(symbol)
        return 0.0 if position is None else position.quantity

    def position(self, deployment_id: str, symbol: str) -> Position:
        """Return the position, unmarked; an empty one where nothing was ever held."""
        found = self._positions.get(deployment_id, _NOTHING).get(symbol)
        return Position(deployment_id, symbol) if found is None else found

    def of(self, deployment_id: str, price: Callable[[str], float | None]) -> list[Position]:
        """Return every position of ``deployment_id``, flat ones with their profit too, by symbol."""
        mine = self._positions.get(deployment_id, _NOTHING)
        return [marked(mine[symbol], price(symbol)) for symbol in sorted(mine)]

    def everything(self) -> Iterable[Position]:
        """Yield every position, unmarked, by deployment and symbol."""
        for deployment_id in sorted(self._positions):
            mine = self._positions[deployment_id]
            yield from (mine[symbol] for symbol in sorted(mine))

    def drop_flat(self, deployment_id: str) -> None:
        """Forget the positions of ``deployment_id`` in which nothing is held."""
        kept = {s: p for s, p in self._positions.pop(deployment_id, {}).items() if p.quantity}
        if kept:
            self._positions[deployment_id] = kept


_NOTHING: dict[str, Position] = {}
