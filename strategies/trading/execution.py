"""From the price at which an order trades to what becomes of it: size, slippage, price band, fee.

``matching`` finds out whether an event lets an order trade and where the market stands then (``Offer``);
here that becomes a ``Match``. The rules, and which way each errs:

- Of an event's volume the orders of one deployment get ``Terms.volume_share`` between them, buys and sells
  together, in the order in which they are looked at; what is left of an order waits. Each deployment is
  alone in the market: errs towards many that trade alike. Lots are filled whole, rounded down. Where the
  volume is unknown the whole order fills: errs towards it. (zipline: ``volume_limit``.)
- An order that takes liquidity slips and is then put on the price grid, away from its own side; never
  beyond its limit. One that rests at its limit fills there, since it cannot slip beyond it.
- ``max_slippage_bps`` bounds what an entry pays: beyond it the rest of a market order is cancelled, against
  the price that the strategy saw, and of a stop order against its stop. An exit is let through at any price.
- IOC takes what its first event gives, FOK all of it or nothing (FIX 4.4, TimeInForce 59=3 and 59=4).
- An order that only reduces is cut to what is held, and what is then left of it is cancelled. One that closes
  and opens is cut by what there is no longer to close (``orders.opening``).
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from strategies.trading.commission import charge
from strategies.trading.instruments import Instrument, round_down, worse_price
from strategies.trading.orders import Order, combine, opening, reducing
from strategies.trading.slippage import slip
from strategies.trading.terms import Terms, VolumeShare

Done: TypeAlias = Literal["", "filled", "cancelled", "expired"]

WHY: Final = {
    "ioc": "what its first event did not fill was cancelled (immediate or cancel)",
    "fok": "its first event did not fill all of it (fill or kill)",
    "max_slippage": "the price was further from what the strategy saw than max_slippage_bps allows",
    "nothing_to_reduce": "all that it may still do is to reduce a position, and nothing more is held",
    "oco": "another order of its group traded",
    "expired": "its time was over",
}
"""Why an order ended, or changed, without trading whole: the words of ``Match.why``."""


class Setting(Struct, frozen=True, gc=False):
    """What an order trades under.

    ``taken`` is what earlier orders had of the same event. ``held`` is the position, None not to ask: then
    the caller clips what only reduces.
    """

    terms: Terms
    instrument: Instrument
    taken: float = 0.0
    held: float | None = None


class Offer(Struct, frozen=True, gc=False, kw_only=True):
    """Where the market stands for an order: before slippage, at event time ``at`` (ns).

    ``size`` is the volume there, None unknown; ``spread`` that of the quote whose side ``price`` is, None for
    a trade or a bar. ``quoted``: somebody offers to trade here.
    """

    price: float
    at: int
    size: float | None = None
    spread: float | None = None
    quoted: bool = False


class Match(Struct, frozen=True, gc=False, kw_only=True):
    """What an event does to an order. ``order`` is the one after it, ``filled``, ``fees`` and all.

    ``quantity`` is signed and traded at ``price`` for ``fee``; 0.0: nothing traded, the order changed
    or ended. ``done`` "" goes on waiting. ``why`` is a word of ``WHY`` where it ended otherwise than filled.
    """

    order: Order
    at: int
    quantity: float = 0.0
    price: float = 0.0
    fee: float = 0.0
    done: Done = ""
    why: str = ""


def ended(order: Order, done: Done, why: str, at: int) -> Match:
    """Return the end of ``order`` without a trade."""
    return Match(order=order, at=at, done=done, why=why)


def working_limit(order: Order) -> float | None:
    """Return the limit at which ``order`` is in the market, None where it has none or none yet."""
    if order.kind == "limit" or (order.kind == "stop_limit" and order.triggered):
        return order.limit_price
    return None


def execute(order: Order, offer: Offer, setting: Setting) -> Match | None:
    """Trade ``order`` where the market stands, as far as it may; None: there is no room for any of it."""
    wanted = order.left
    if order.reduce_only and setting.held is not None:
        wanted = reducing(wanted, setting.held)
        if wanted == 0.0:
            return ended(order, "cancelled", "nothing_to_reduce", offer.at)
    elif setting.held is not None:
        order = opening(order, setting.held)
        wanted = order.left
        if wanted == 0.0:
            return ended(order, "cancelled", "nothing_to_reduce", offer.at)
    quantity = _room(wanted, offer.size, setting)
    if quantity != wanted and order.time_in_force == "fok":
        return ended(order, "cancelled", "fok", offer.at)
    if quantity == 0.0:
        return ended(order, "cancelled", "ioc", offer.at) if order.time_in_force == "ioc" else None
    price = _price(order, offer, setting, quantity)
    if _too_far(order, price):
        return ended(order, "cancelled", "max_slippage", offer.at)
    instrument = setting.instrument
    fee = charge(setting.terms.commission, order, quantity, price, instrument)
    after = replace(
        order,
        filled=order.quantity if quantity == order.left else combine(order.filled, quantity),
        fees=order.fees + fee,
        value=order.value + abs(quantity) * price * instrument.multiplier,
        resting=working_limit(order) is not None,
    )
    done, why = _end(after, cut=quantity == wanted)
    return Match(order=after, at=offer.at, quantity=quantity, price=price, fee=fee, done=done, why=why)


def _room(wanted: float, size: float | None, setting: Setting) -> float:
    """Return the part of ``wanted`` for which there is volume, in whole lots."""
    terms = setting.terms
    share = terms.volume_share
    if isinstance(terms.slippage, VolumeShare):
        share = terms.slippage.limit if share is None else min(share, terms.slippage.limit)
    if share is None or size is None:
        return wanted
    room = max(share * size - setting.taken, 0.0)
    return (
        wanted
        if room >= abs(wanted)
        else math.copysign(round_down(room, setting.instrument.lot_size), wanted)
    )


def _price(order: Order, offer: Offer, setting: Setting, quantity: float) -> float:
    """Return what is paid or received: slipped, on the grid, within the limit."""
    side = 1 if quantity > 0 else -1
    share = (setting.taken + abs(quantity)) / offer.size if offer.size else None
    price = slip(setting.terms.slippage, side, offer.price, spread=offer.spread, share=share)
    if price != offer.price:  # the market's own prices are where they are
        price = worse_price(price, side, setting.instrument.tick_size)
    limit = working_limit(order)
    if limit is None:
        return price
    return min(price, limit) if side > 0 else max(price, limit)


def _too_far(order: Order, price: float) -> bool:
    """Whether ``price`` is worse than an entry may pay; so is any where its reference is unknown."""
    if order.max_slippage_bps is None or order.reduce_only or order.kind not in {"market", "stop"}:
        return False
    seen = order.stop_price if order.kind == "stop" else order.reference_price
    if seen is None:
        return True
    worse = (price - seen) if order.quantity > 0 else (seen - price)
    return not worse <= seen * order.max_slippage_bps / 1e4 * (1 + 1e-12)


def _end(order: Order, *, cut: bool) -> tuple[Done, str]:
    """Return how an order stands that has just traded; ``cut``: all of it that it may."""
    if order.left == 0.0:
        return "filled", ""
    if cut:
        return "cancelled", "nothing_to_reduce"
    return ("cancelled", "ioc") if order.time_in_force == "ioc" else ("", "")
