"""What an order is, and how the size that a signal asks for becomes a signed order quantity.

Quantities are signed: positive buys, negative sells. ``expected`` is the position once every waiting
order has filled: a strategy that enters and exits between two ticks must not be told "no position".
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from bus.messages import OrderType, Signal, TimeInForce
from strategies.trading.protection import Protection

Role: TypeAlias = Literal[
    "signal", "stop_loss", "take_profit", "trailing_stop", "time_stop", "square_off", "flatten"
]
"""Who asked for an order: a strategy's signal, or the engine for a reason of its own."""

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

    @property
    def left(self) -> float:
        """The signed quantity that has not filled yet."""
        return combine(self.quantity, -self.filled)


class Size(Struct, frozen=True, gc=False):
    """What to order: signed ``quantity``; ``clipped`` when less than asked, since no more is held."""

    quantity: float
    reduce_only: bool = False
    clipped: bool = False


class Unsized(Struct, frozen=True, gc=False):
    """Why no order follows: a rule of the gate, and the sentence for it."""

    rule: str
    detail: str


def combine(held: float, change: float) -> float:
    """Return ``held + change``, or exactly 0.0 where the two cancel but for rounding (``DUST``)."""
    total = held + change
    return 0.0 if abs(total) <= DUST * max(abs(held), abs(change)) else total


def reducing(quantity: float, held: float) -> float:
    """Return the part of ``quantity`` that takes ``held`` towards zero and not through it."""
    if _sign(quantity) != -_sign(held) or held == 0.0:
        return 0.0
    return quantity if abs(quantity) < abs(held) else -held


def reduces(signal: Signal, expected: float) -> bool:
    """Whether ``signal`` can only take risk away; what it asks for decides, not what it is called."""
    if signal.intent in _EXITS or signal.intent == "cancel" or signal.reduce_only:
        return True
    if signal.intent != "target" or signal.target_quantity is None:
        return False
    # Towards zero and not through it. NaN compares false, so it never passes for an exit.
    return 0 <= signal.target_quantity * _sign(expected) < abs(expected)


def size(signal: Signal, expected: float, price: float | None) -> Size | Unsized:
    """Return the order that takes the position from ``expected`` to where ``signal`` wants it.

    An entry against the present side is exit and entry in one order: short 3 while long 10 sells 13. An
    entry on the present side adds to it. An exit of more than is held is clipped to what is held.
    """
    asked = [name for name in _SIZINGS if getattr(signal, name) is not None]
    if len(asked) > 1:
        return Unsized("sizing_ambiguous", f"{' and '.join(asked)} are given; give one of them")
    for name in asked:
        if name in _NEEDS_EQUITY:
            return Unsized(
                "sizing_unsupported",
                f"{name} needs the equity of the account, which is not kept yet; give quantity, notional or "
                "target_quantity",
            )
    sizing = asked[0] if asked else None
    if signal.intent == "target":
        return _to_target(signal, sizing, expected)
    if signal.intent in _EXITS:
        return _exit(signal, sizing, signal.intent, expected, price)
    if signal.reduce_only:
        opposite = "exit_short" if signal.intent == "enter_long" else "exit_long"
        return _exit(signal, sizing, opposite, expected, price)
    return _enter(signal, sizing, expected, price)


_SIZINGS: Final = ("quantity", "notional", "target_quantity", "target_weight", "risk_pct")
_NEEDS_EQUITY: Final = frozenset({"target_weight", "risk_pct"})
_EXITS: Final = frozenset({"exit_long", "exit_short", "exit_all"})


def _sign(quantity: float) -> int:
    return (quantity > 0) - (quantity < 0)


def _units(signal: Signal, sizing: str, price: float | None) -> float | Unsized:
    """Return the unsigned number of units that ``quantity`` or ``notional`` asks for."""
    if sizing == "quantity":
        return signal.quantity or 0.0
    if price is None:
        return Unsized(
            "price_unknown", f"notional of {signal.symbol} needs a price, and none has been seen yet"
        )
    return (signal.notional or 0.0) / price


def _enter(signal: Signal, sizing: str | None, expected: float, price: float | None) -> Size | Unsized:
    if sizing not in {"quantity", "notional"}:
        given = f"{sizing} is for intent target" if sizing else "no size is given"
        return Unsized("sizing_missing", f"{given}; {signal.intent} takes quantity or notional")
    units = _units(signal, sizing, price)
    if isinstance(units, Unsized):
        return units
    side = 1 if signal.intent == "enter_long" else -1
    against = expected if expected * side < 0 else 0.0
    return Size(side * units - against)


def _exit(
    signal: Signal, sizing: str | None, intent: str, expected: float, price: float | None
) -> Size | Unsized:
    if sizing == "target_quantity" or (sizing and intent == "exit_all"):
        allowed = "takes no size" if intent == "exit_all" else "takes quantity, notional or nothing (all)"
        return Unsized("sizing_not_allowed", f"{sizing} is given; {signal.intent} {allowed}")
    held = {"exit_long": max(expected, 0.0), "exit_short": min(expected, 0.0)}.get(intent, expected)
    if held == 0.0:
        side = {"exit_long": "long ", "exit_short": "short "}.get(intent, "")
        return Unsized("no_position", f"no {side}position in {signal.symbol} (it is {expected:g})")
    if sizing is None:
        return Size(-held, reduce_only=True)
    units = _units(signal, sizing, price)
    if isinstance(units, Unsized):
        return units
    clipped = combine(abs(held), -units) < 0
    return Size(-_sign(held) * min(units, abs(held)), reduce_only=True, clipped=clipped)


def _to_target(signal: Signal, sizing: str | None, expected: float) -> Size | Unsized:
    target = signal.target_quantity
    if target is None:
        given = f"{sizing} is given" if sizing else "no size is given"
        return Unsized("sizing_missing", f"{given}; intent target takes target_quantity")
    change = combine(target, -expected)
    if change == 0.0:
        return Unsized("already_at_target", f"the position in {signal.symbol} is {expected:g} already")
    towards_zero = 0 <= target * _sign(expected) < abs(expected)
    if signal.reduce_only and not towards_zero:
        return Unsized("reduce_only", f"from {expected:g} to {target:g} does not only reduce the position")
    return Size(change, reduce_only=towards_zero)
