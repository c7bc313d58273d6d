"""What an order is, and how its quantity and a position go together.

Quantities are signed: positive buys, negative sells. How large an order is to be is ``sizing``'s.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from bus.messages import OrderType, TimeInForce
from strategies.trading.protection import Protection

Role: TypeAlias = Literal[
    "signal", "stop_loss", "take_profit", "trailing_stop", "time_stop", "square_off", "flatten"
]
"""Who asked for an order: a strategy's signal, or the engine for a reason of its own."""
STOP_ROLES: Final = frozenset({"stop_loss", "trailing_stop"})

DUST: Final = 1e-9
"""Relative size below which a quantity is the rounding error of its parts, and exactly 0.0.

Doubles carry 1.1e-16 of relative error an operation, so this holds for ten million fills of a like size;
and no venue trades a billionth of a position."""


class Order(Struct, frozen=True, array_like=True, kw_only=True):
    """An order that waits. ``seq`` is the journal's; times are event time in ns, 0 for none.

    ``reduce_only`` orders are clipped to what is held when they fill, so an exit never opens a position.
    ``after`` is the number of the last tick of its symbol (``Ticks.seq``) that came before its acceptance:
    a tick is looked at again after a crash, and an order is filled by later ones only. ``filled`` is the
    signed quantity so far, ``fees`` what that has cost. ``protect`` guards the position that it opens.
    ``route`` "" is the paper broker. ``day`` labels the account's trading day of its acceptance. ``value`` is
    what has traded so far, in money of the instrument, never negative. ``resting``: a limit order that the
    market has seen and not filled; it fills at its limit from then on.

    ``cancelling``: its route is asked to take it back, and has not said yet that it did. ``multiplier`` is
    that by which ``value`` was counted, of a live order that has filled in part; 0.0: as it is set up now.

    ``closes`` is how much of it (unsigned) is to close what was held on the other side at its acceptance. It
    opens no more than the rest, whatever has closed that position meanwhile (``opening``).
    """

    order_id: str
    signal_id: str
    deployment_id: str
    account_id: str
    symbol: str
    quantity: float
    reduce_only: bool
    leg: str
    data_as_of: int
    accepted_at: int
    seq: int
    after: int = 0
    kind: OrderType = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    time_in_force: TimeInForce = "gtc"
    expires_at: int = 0
    triggered: bool = False
    filled: float = 0.0
    fees: float = 0.0
    role: Role = "signal"
    oco_group: str = ""
    route: str = ""
    protect: Protection | None = None
    max_slippage_bps: float | None = None
    reference_price: float | None = None
    day: str = ""
    value: float = 0.0
    resting: bool = False
    closes: float = 0.0
    like: int = 0
    cancelling: bool = False
    multiplier: float = 0.0

    @property
    def left(self) -> float:
        """The signed quantity that has not filled yet."""
        return combine(self.quantity, -self.filled)


def combine(held: float, change: float) -> float:
    """Return ``held + change``, or exactly 0.0 where the two cancel but for rounding (``DUST``)."""
    total = held + change
    return 0.0 if abs(total) <= DUST * max(abs(held), abs(change)) else total


def reducing(quantity: float, held: float) -> float:
    """Return the part of ``quantity`` that takes ``held`` towards zero and not through it."""
    if _sign(quantity) != -_sign(held) or held == 0.0:
        return 0.0
    return quantity if abs(quantity) < abs(held) else -held


def closing(quantity: float, held: float, pending: float) -> float:
    """Return how much of an order closes what is held, once what is ``pending`` on its side has filled."""
    return abs(reducing(quantity, combine(held, pending)))


def opening(order: Order, held: float) -> Order:
    """Return an entry cut by what it was to close and there is no longer, ``held`` being the position.

    Short 3 while long 10 sells 13, but only 3 where a stop has closed the 10 before. The gate judged the
    position that it was to lead to; it would be a larger one, beyond its limits perhaps.
    """
    gone = max(order.closes - abs(order.filled), 0.0) - abs(reducing(order.left, held))
    if gone <= DUST * order.closes:
        return order
    cut = gone if order.quantity > 0 else -gone
    return replace(order, quantity=combine(order.quantity, -cut), closes=order.closes - gone)


def _sign(quantity: float) -> int:
    return (quantity > 0) - (quantity < 0)
