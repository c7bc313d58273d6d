"""One position: what a fill makes of it, what that earned, and what it is worth at a price.

Quantities and prices are doubles. Quantities that cancel give exactly 0.0 (``orders.DUST``). Money is that
of the instrument, and right to a relative 1e-9 of what was turned over: after any fills, for one instrument,

    realised + unrealised  ==  cash paid and received (fees included) + quantity * last price * multiplier

Average cost: the profit of a partial close is measured against the mean entry price of what is held. First
in, first out (lots.py) has the same total; only its split between realised and unrealised differs.
"""

from __future__ import annotations

from math import copysign, isfinite

from msgspec.structs import replace

from bus.messages import Position
from strategies.trading.orders import combine


def after(
    position: Position, quantity: float, price: float, fee: float = 0.0, multiplier: float = 1.0
) -> Position:
    """Return ``position`` once ``quantity`` (signed, not zero) has traded at ``price``.

    ``realised`` and ``trip`` are net of every fee so far, those of entries included: a fee is lost when it
    is paid, and that of a fill through zero belongs to the round trip which it ends. ``multiplier`` counts
    for what is opened from flat; whatever is held keeps its own. The mark is left unknown, since the caller
    knows the price; so is ``fifo_realised``, which needs the lots (``Books.entry``).
    """
    held = position.quantity
    now = combine(held, quantity)
    same = held == 0.0 or same_side(held, now)  # round trip as before
    if same_side(held, quantity):  # added to; exact where the price is the average
        share = quantity / (held + quantity)
        average = position.average_price + (price - position.average_price) * share
    else:
        average = position.average_price if held and same else price
    gained = gain(position, quantity, price) - fee
    return replace(
        position,
        quantity=now,
        average_price=average if now else 0.0,
        realised=position.realised + gained,
        unrealised=None,
        fees=position.fees + fee,
        multiplier=position.multiplier if held else multiplier,
        trip=position.trip + gained if same else 0.0,
    )


def gain(position: Position, quantity: float, price: float) -> float:
    """Return the profit, fees apart, of what ``quantity`` (signed) closes of ``position`` at ``price``."""
    held = position.quantity
    if not same_side(held, -quantity):
        return 0.0
    closed = copysign(min(abs(held), abs(quantity)), held)
    return closed * (price - position.average_price) * position.multiplier


def marked(position: Position, price: float | None) -> Position:
    """Return ``position`` with its profit at ``price``; None while it is unknown and something is held."""
    return replace(position, unrealised=unrealised(position, price))


def unrealised(position: Position, price: float | None) -> float | None:
    """Return the profit of what is held at ``price``; None while that is unknown, or no number."""
    if position.quantity == 0.0:
        return 0.0
    if price is None or not isfinite(price):
        return None
    return (price - position.average_price) * position.quantity * position.multiplier


def value(position: Position, price: float | None) -> float | None:
    """Return what the holding is worth at ``price``, signed; None while that is unknown, or no number."""
    if position.quantity == 0.0:
        return 0.0
    if price is None or not isfinite(price):
        return None
    return position.quantity * price * position.multiplier


def same_side(one: float, other: float) -> bool:
    """Whether two quantities are both long or both short; zero is neither."""
    return (one > 0 and other > 0) or (one < 0 and other < 0)
