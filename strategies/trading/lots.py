"""Lots, first in, first out: which of what was bought is still held, and what the rest has earned.

A lot is one fill that opened or added; it is known by the record of that fill, so lots ascend by it. All
lots of a holding have its side. Quantities are signed, profit is per unit of multiplier, without fees.

First in, first out leaves the newest. So what a fill closes is found from the position that it leaves:
lots are kept from the newest backwards until they make up that position, and the sum of the lots is the
position after every fill, however many went before. Taking from the oldest instead would let the rounding
of the two drift apart, and leave slivers of lots in a position that is flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import copysign, fsum
from typing import Final, NamedTuple, TypeAlias

from strategies.trading.errors import LedgerError
from strategies.trading.positions import same_side
from strategies.trading.records import LotMove

HAIR: Final = 2.0**-40
"""Relative to the position, some 1e-12: what two sums of the same may differ by, and no lot is split for."""


class Lot(NamedTuple):
    """What is left of one fill: the record that opened it, the signed quantity, the price."""

    seq: int
    quantity: float
    price: float


Lots: TypeAlias = tuple[Lot, ...]


def after(lots: Lots, quantity: float, price: float, seq: int, held: float) -> tuple[Lots, float, LotMove]:
    """Return the lots once ``quantity`` has traded at ``price``, the profit of what closed, and the move.

    ``held`` is the position after the fill, ``seq`` the record of the fill.
    """
    profit, move = taken(lots, quantity, price, held)
    return moved(lots, move, seq, price), profit, move


def taken(lots: Sequence[Lot], quantity: float, price: float, held: float) -> tuple[float, LotMove]:
    """Return what ``after`` does but the lots themselves: what it costs depends on what closes alone."""
    if not lots or same_side(lots[0].quantity, quantity):
        return 0.0, LotMove(opened=quantity)
    rest = abs(held) if same_side(lots[0].quantity, held) else 0.0
    first, over = _kept(lots, rest)
    profits = [lot.quantity * (price - lot.price) for lot in lots[:first]]
    left = None
    if over:
        front = lots[first]
        part = copysign(over, front.quantity)
        profits.append(part * (price - front.price))
        left = (front.seq, front.quantity - part)
    return fsum(profits), LotMove([lot.seq for lot in lots[:first]], left, 0.0 if rest else held)


def _kept(lots: Sequence[Lot], rest: float) -> tuple[int, float]:
    """Return from where on ``lots`` make up ``rest`` (unsigned), and what the first of them has too much."""
    first, hair = len(lots), HAIR * rest
    while first and rest > hair:
        first -= 1
        rest -= abs(lots[first].quantity)
    over = -rest
    return first, (over if over > hair else 0.0)


def moved(lots: Lots, move: LotMove, seq: int, price: float) -> Lots:
    """Return ``lots`` after ``move``, as record ``seq`` of a fill at ``price`` tells it; as ``shift``."""
    mine = list(lots)
    shift(mine, move, seq, price)
    return tuple(mine)


def shift(lots: list[Lot], move: LotMove, seq: int, price: float) -> None:
    """Change ``lots`` by ``move``: what is opened goes behind, without a look at those that stay."""
    change(lots, move, seq)
    del lots[: len(move.closed)]
    if move.left is not None:
        name, quantity = move.left
        lots[0] = Lot(name, quantity, lots[0].price)
    if move.opened:
        lots.append(Lot(seq, move.opened, price))


def change(lots: Sequence[Lot], move: LotMove, seq: int) -> float:
    """Return by how much ``move`` changes the quantity of all ``lots``.

    Raises ``LedgerError`` if it is not one of these lots, or opens one that is older than they are.
    """
    count, left = len(move.closed), move.left
    if move.closed != [lot.seq for lot in lots[:count]]:
        raise LedgerError(f"record {seq} closes lots {move.closed}, but {[lot.seq for lot in lots]} are open")
    if left is not None and (count >= len(lots) or lots[count].seq != left[0]):
        open_ones = [lot.seq for lot in lots[count:]]
        raise LedgerError(f"record {seq} takes from lot {left[0]}, but {open_ones} are open")
    if move.opened and count < len(lots) and lots[-1].seq >= seq:
        raise LedgerError(f"record {seq} opens a lot after that of record {lots[-1].seq}")
    gone = fsum(lot.quantity for lot in lots[:count])
    return move.opened - gone + (left[1] - lots[count].quantity if left is not None else 0.0)


def quantity(lots: Iterable[Lot]) -> float:
    """Return the signed quantity of all ``lots``."""
    return fsum(lot.quantity for lot in lots)


def profit(lots: Sequence[Lot], price: float) -> float:
    """Return what ``lots`` have earned at ``price``, per unit of multiplier."""
    return fsum(lot.quantity * (price - lot.price) for lot in lots)
