"""How the size that a signal asks for becomes a signed order quantity. Positive buys, negative sells.

``expected`` is the position once every waiting order has filled: a strategy that enters and exits between
two ticks must not be told "no position". ``Money`` is what sizes in money are turned into units with; what
is None in it is unknown, and a size that needs it is refused, never taken for zero.
"""

from __future__ import annotations

import math
from typing import Final, TypeGuard

from msgspec import Struct

from bus.messages import Signal
from strategies.trading.instruments import Instrument, round_down
from strategies.trading.orders import combine
from strategies.trading.rules import Refusal


class Size(Struct, frozen=True, gc=False):
    """What to order: signed ``quantity``; ``clipped`` when less than asked, since no more is held.

    ``rounded`` when it was cut down to whole lots.
    """

    quantity: float
    reduce_only: bool = False
    clipped: bool = False
    rounded: bool = False


class Money(Struct, frozen=True, gc=False):
    """What a unit is worth and what may be spent, in the account's currency; None is unknown.

    ``unit`` is the worth of one unit at the price at which the order is to trade, ``equity`` that of the
    account, ``at_stake`` what one unit loses when the signal's stop is hit at its price.
    """

    unit: float | None = None
    equity: float | None = None
    at_stake: float | None = None


def reduces(signal: Signal, expected: float, money: Money | None = None) -> bool:
    """Whether ``signal`` can only take risk away; what it asks for decides, not what it is called.

    An adjust counts, since stops are only ever tightened (``protection.adjust``).
    """
    if signal.intent in _EXITS or signal.reduce_only or signal.intent in {"cancel", "adjust"}:
        return True
    if signal.intent != "target":
        return False
    target = _target(signal, money)
    # Towards zero and not through it. NaN compares false, so it never passes for an exit.
    return target is not None and 0 <= target * _sign(expected) < abs(expected)


def size(signal: Signal, expected: float, money: Money) -> Size | Refusal:
    """Return the order that takes the position from ``expected`` to where ``signal`` wants it.

    An entry against the present side is exit and entry in one order: short 3 while long 10 sells 13. An
    entry on the present side adds to it. An exit of more than is held is clipped to what is held.
    """
    asked = [name for name in _SIZINGS if getattr(signal, name) is not None]
    if len(asked) > 1:
        return Refusal("sizing_ambiguous", f"{' and '.join(asked)} are given; give one of them")
    sizing = asked[0] if asked else None
    if signal.intent == "target":
        return _to_target(signal, sizing, expected, money)
    if signal.intent in _EXITS:
        return _exit(signal, sizing, signal.intent, expected, money)
    if signal.reduce_only:
        opposite = "exit_short" if signal.intent == "enter_long" else "exit_long"
        return _exit(signal, sizing, opposite, expected, money)
    return _enter(signal, sizing, expected, money)


def in_lots(sized: Size, expected: float, instrument: Instrument | None) -> Size | Refusal:
    """Return ``sized`` in whole lots, rounded towards zero: never more than was asked for.

    All that is held may be exited as it is: an odd lot that could not be sold would never go. The venue's
    least quantity binds entries only, for the same reason.
    """
    if instrument is None or (instrument.lot_size is None and instrument.min_quantity is None):
        return sized
    whole = round_down(sized.quantity, instrument.lot_size)
    if sized.reduce_only and sized.quantity == -expected:
        return sized
    if whole == 0.0:
        asked, lot = abs(sized.quantity), instrument.lot_size
        return Refusal("below_lot", f"the order comes to {asked:g} units, less than a lot of {lot:g}")
    least = instrument.min_quantity
    if least is not None and not sized.reduce_only and abs(whole) < least:
        return Refusal("below_min_quantity", f"the order comes to {abs(whole):g} units, at least {least:g}")
    rounded = abs(sized.quantity) - abs(whole) > _NOISE * abs(whole)
    return Size(whole, sized.reduce_only, sized.clipped, rounded)


_NOISE: Final = 1e-9
_SIZINGS: Final = ("quantity", "notional", "target_quantity", "target_weight", "risk_pct")
_ENTRY_SIZINGS: Final = frozenset({"quantity", "notional", "risk_pct"})
_TARGETS: Final = frozenset({"target_quantity", "target_weight"})
_EXITS: Final = frozenset({"exit_long", "exit_short", "exit_all"})


def _sign(quantity: float) -> int:
    return (quantity > 0) - (quantity < 0)


def _units(signal: Signal, sizing: str, money: Money) -> float | Refusal:
    """Return the unsigned number of units that a size without a sign asks for; it is given."""
    amount: float = getattr(signal, sizing)
    if sizing == "quantity":
        return amount
    if not _known(money.unit):
        return Refusal("price_unknown", f"{sizing} needs what a unit of {signal.symbol} is worth")
    if sizing == "notional":
        return amount / money.unit
    if signal.stop_loss is None:
        return Refusal("stop_missing", "risk_pct needs stop_loss: it is what that loses, in percent")
    if not _known(money.equity):
        return Refusal("equity_unknown", "risk_pct needs the equity of the account, which is unknown")
    if not _known(money.at_stake):
        return Refusal("stop_side", "risk_pct needs a stop_loss on the losing side of the price")
    return money.equity * amount / 100 / money.at_stake


def _enter(signal: Signal, sizing: str | None, expected: float, money: Money) -> Size | Refusal:
    if sizing not in _ENTRY_SIZINGS or sizing is None:
        given = f"{sizing} is for intent target" if sizing else "no size is given"
        return Refusal("sizing_missing", f"{given}; {signal.intent} takes quantity, notional or risk_pct")
    units = _units(signal, sizing, money)
    if isinstance(units, Refusal):
        return units
    side = 1 if signal.intent == "enter_long" else -1
    against = expected if expected * side < 0 else 0.0
    return Size(side * units - against)


def _exit(signal: Signal, sizing: str | None, intent: str, expected: float, money: Money) -> Size | Refusal:
    if sizing and (intent == "exit_all" or sizing not in {"quantity", "notional"}):
        allowed = "takes no size" if intent == "exit_all" else "takes quantity, notional or nothing (all)"
        return Refusal("sizing_not_allowed", f"{sizing} is given; {signal.intent} {allowed}")
    held = {"exit_long": max(expected, 0.0), "exit_short": min(expected, 0.0)}.get(intent, expected)
    if held == 0.0:
        side = {"exit_long": "long ", "exit_short": "short "}.get(intent, "")
        return Refusal("no_position", f"no {side}position in {signal.symbol} (it is {expected:g})")
    if sizing is None:
        return Size(-held, reduce_only=True)
    units = _units(signal, sizing, money)
    if isinstance(units, Refusal):
        return units
    clipped = combine(abs(held), -units) < 0
    return Size(-_sign(held) * min(units, abs(held)), reduce_only=True, clipped=clipped)


def _to_target(signal: Signal, sizing: str | None, expected: float, money: Money) -> Size | Refusal:
    if sizing not in _TARGETS:
        given = f"{sizing} is given" if sizing else "no size is given"
        return Refusal("sizing_missing", f"{given}; intent target takes target_quantity or target_weight")
    target = _target(signal, money)
    if target is None:
        what = "what a unit is worth" if _known(money.equity) else "the equity of the account"
        return Refusal("equity_unknown", f"target_weight needs {what}, which is unknown")
    change = combine(target, -expected)
    if change == 0.0:
        return Refusal("already_at_target", f"the position in {signal.symbol} is {expected:g} already")
    towards_zero = 0 <= target * _sign(expected) < abs(expected)
    if signal.reduce_only and not towards_zero:
        return Refusal("reduce_only", f"from {expected:g} to {target:g} does not only reduce the position")
    return Size(change, reduce_only=towards_zero)


def _target(signal: Signal, money: Money | None) -> float | None:
    """Return the signed position that is wanted, None if it is not said or needs what is unknown."""
    if signal.target_quantity is not None:
        return signal.target_quantity
    weight = signal.target_weight
    if weight is None or weight == 0.0:
        return weight  # nothing of the equity is nothing, whatever that may be
    if money is None or not _known(money.equity) or not _known(money.unit):
        return None
    return weight * money.equity / money.unit


def _known(amount: float | None) -> TypeGuard[float]:
    """Whether a price, a worth or an equity can be divided by or shared out."""
    return amount is not None and 0 < amount < math.inf
