"""Which event fills which order: ``on_tick`` and ``on_bar``, the same in paper trading and in a backtest.

The rules, and which way each errs. Commission, slippage, size and time in force: ``execution``.

*When.* Never before ``data_as_of + latency`` in event time, so never at the price that the strategy saw;
never by a tick outside every session, a candle that is made up (``synthetic``) or one that is not closed.

*Market.* A buy pays the ask, a sell gets the bid: the whole spread is paid, which errs against the strategy
(no price improvement). On a crossed quote each gets the worse of both: a spread below zero is never
earned. A tick with a trade only fills at that trade: errs towards it by up to half a spread. A tick with the
other side only fills nothing.

*Stop.* Triggered when the side that it would trade at touches its price (a buy by the ask, a sell by the
bid, as FX venues do; else by trades), and then a market order at that very price: where the market has jumped
over the stop it fills where the market stands, never at the better stop (SEC, investor bulletin on stop
orders: the stop price is no guaranteed execution price). A wide spread triggers it: errs against.

*Limit.* Takes what is better than its limit when it arrives. What rests (from the start, if its limit is away
from the price that the strategy saw) fills at its limit even where the market jumps beyond it: errs
against. Trades at the limit fill it, since price-time priority is unknown:
errs towards it, and ``trade_through`` is the remedy. A quote of the other side at the limit always does:
whoever offers there has taken all who stood before.

*Stop-limit.* A stop that becomes a limit order at the touch.

*Bars, convention ``open``* (backtesting.py, backtrader). The open is a price like a tick's: market orders
and whatever is reached there fill at it, a resting limit too (an opening auction has one price; within a
session that errs towards it by the gap). Then a stop fills at its price if the bar reached it, a limit at its
limit. An order that arrives inside a bar is judged by the close alone and fills no better than at its limit:
what came before the close may have come before the order. One that expires inside it, by the open alone.

*Bars, convention ``close``* (zipline). Everything is judged by the close and fills there: errs against stops
that were touched and left, towards limits that were jumped over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from bus.messages import TICK_OUT_OF_SESSION, TICK_VOLUME_UNKNOWN, Candle, Tick
from strategies.trading.execution import Match, Offer, Setting, ended, execute, working_limit
from strategies.trading.instruments import Instrument
from strategies.trading.orders import Order
from strategies.trading.terms import Terms

__all__ = ["Match", "expired", "on_bar", "on_tick", "sequence"]

STOPS: Final = frozenset({"stop", "stop_limit"})
LIMITS: Final = frozenset({"limit", "stop_limit"})
AT_ONCE: Final = frozenset({"ioc", "fok"})


def expired(order: Order, now: int) -> bool:
    """Whether the time of ``order`` is over at event time ``now``."""
    return 0 < order.expires_at <= now


def on_tick(
    order: Order,
    tick: Tick,
    terms: Terms,
    instrument: Instrument,
    *,
    taken: float = 0.0,
    held: float | None = None,
) -> Match | None:
    """Return what ``tick`` does to ``order``, None nothing; ``taken`` and ``held`` as in ``Setting``."""
    if expired(order, tick.ts):
        return ended(order, "expired", "expired", tick.ts)
    if tick.ts < order.data_as_of + terms.latency or tick.flags & TICK_OUT_OF_SESSION:
        return None
    offer = offered(order.quantity > 0, tick)
    if offer is None:
        return None
    return _judge(order, offer, Setting(terms, instrument, taken, held), at_limit=_rests(order))


def on_bar(
    order: Order,
    candle: Candle,
    terms: Terms,
    instrument: Instrument,
    *,
    taken: float = 0.0,
    held: float | None = None,
    late: bool = False,
) -> Match | None:
    """Return what a closed ``candle`` does to ``order``, None nothing; ``taken`` and ``held`` as on a tick.

    ``late``: it counts from some moment inside the bar only, as if it had arrived then.
    """
    opened, closed = candle.open_time, candle.close_time
    if expired(order, opened):
        return ended(order, "expired", "expired", opened)
    arrives = order.data_as_of + terms.latency
    if arrives >= closed or candle.synthetic or not candle.closed:
        return None
    setting = Setting(terms, instrument, taken, held)
    size, dies = _volume(candle), expired(order, closed - 1)
    if terms.bars == "close" or late or arrives > opened:
        if dies:
            return ended(order, "expired", "expired", order.expires_at)
        closing = Offer(price=candle.close, at=closed, size=size)
        return _judge(order, closing, setting, at_limit=terms.bars == "open")
    opening = Offer(price=candle.open, at=opened, size=size)
    match = _judge(order, opening, setting, at_limit=False)
    if match is not None and (match.quantity or match.done):
        return replace(match, done="expired", why="expired") if dies and not match.done else match
    if dies:
        return ended(order, "expired", "expired", order.expires_at)
    before = order if match is None else match.order
    return _range(before, candle, size, setting) or match


def sequence(matches: Iterable[Match], candle: Candle) -> list[Match]:
    """Return what one bar does to several orders of one deployment in the order to carry it out.

    What happens at the open comes first, by acceptance. Inside the bar nobody knows: entries first, so
    that what protects them can act in the same bar, then by what each comes to at the close, the worse for
    the trader first. So a stop comes before a target: errs against (freqtrade's backtesting
    assumptions say the same of its stop-loss).
    """

    def rank(match: Match) -> tuple[int, float, int]:
        order = match.order
        if match.at == candle.open_time or not match.quantity:
            return 0, 0.0, order.seq
        side = 1 if match.quantity > 0 else -1
        return 2 if order.reduce_only else 1, side * (candle.close - match.price), order.seq

    return sorted(matches, key=rank)


def offered(buying: bool, tick: Tick) -> Offer | None:
    """Return where the market stands for a buy or a sell, None where ``tick`` does not tell."""
    bid, ask, bid_size, ask_size = tick.bid, tick.ask, tick.bid_size, tick.ask_size
    spread = None
    if bid is not None and ask is not None:
        if bid > ask:
            bid, ask, bid_size, ask_size = ask, bid, ask_size, bid_size
        spread = ask - bid
    price, size = (ask, ask_size) if buying else (bid, bid_size)
    if price is not None:
        # Some feeds send 0 for a size that they do not know: nobody quotes a price for nothing.
        return Offer(price=price, at=tick.ts, size=size or None, spread=spread, quoted=True)
    if tick.last is None:
        return None
    return Offer(price=tick.last, at=tick.ts, size=None if tick.flags & TICK_VOLUME_UNKNOWN else tick.size)


# ---- inside -----------------------------------------------------------------------------------------
def _judge(order: Order, offer: Offer, setting: Setting, *, at_limit: bool) -> Match | None:
    """Return what one price does; ``at_limit``: a limit order that it reaches fills at its limit."""
    before = order
    buying = order.quantity > 0
    if order.kind in STOPS and not order.triggered:
        if not _touched(buying, offer.price, order.stop_price):
            return None
        order = replace(order, triggered=True)
    if order.kind in LIMITS:
        limit = working_limit(order)
        if limit is None or not _reached(buying, offer.price, limit, setting.terms, quoted=offer.quoted):
            return _not_reached(before, order, offer.at)
        if at_limit:
            offer = Offer(price=limit, at=offer.at, size=offer.size)
    match = execute(order, offer, setting)
    return match or _changed(before, order, offer.at)


def _rests(order: Order) -> bool:
    """Whether ``order`` is in the book: seen before, or a limit away from the price that its strategy saw."""
    limit, seen = order.limit_price, order.reference_price
    if order.resting or order.kind != "limit" or limit is None or seen is None:
        return order.resting
    return limit < seen if order.quantity > 0 else limit > seen


def _range(order: Order, candle: Candle, size: float | None, setting: Setting) -> Match | None:
    """Return what lies between the open, which did not fill ``order``, and the end of the bar."""
    before = order
    at, buying = candle.close_time, order.quantity > 0
    limit = working_limit(order)
    if order.kind in STOPS and not order.triggered:
        stop = order.stop_price
        if stop is None or not _touched(buying, candle.high if buying else candle.low, stop):
            return None
        order = replace(order, triggered=True)
        at_price, limit = stop, working_limit(order)
        if limit is not None and not _reached(buying, stop, limit, setting.terms, quoted=True):
            # The stop lies beyond the limit. Only the close is known to come after the touch.
            at_price = limit
            if order.time_in_force in AT_ONCE or not _reached(buying, candle.close, limit, setting.terms):
                return _not_reached(before, order, at)
    elif limit is not None and _reached(buying, candle.low if buying else candle.high, limit, setting.terms):
        at_price = limit
    else:
        return None
    match = execute(order, Offer(price=at_price, at=at, size=size), setting)
    return match or _changed(before, order, at)


def _touched(buying: bool, price: float, stop: float | None) -> bool:
    """Whether the market has reached ``stop``; NaN and None are never reached."""
    return stop is not None and (price >= stop if buying else price <= stop)


def _reached(buying: bool, price: float, limit: float, terms: Terms, *, quoted: bool = False) -> bool:
    """Whether a limit order trades at ``price``: at its limit only with somebody who offers there."""
    if price == limit:
        return quoted or not terms.trade_through
    return price < limit if buying else price > limit


def _not_reached(before: Order, order: Order, at: int) -> Match | None:
    """Return what becomes of a limit order that the market does not reach: it rests, or is cancelled."""
    if order.time_in_force in AT_ONCE:
        return ended(order, "cancelled", order.time_in_force, at)
    return _changed(before, order if order.resting else replace(order, resting=True), at)


def _changed(before: Order, order: Order, at: int) -> Match | None:
    return None if order is before else Match(order=order, at=at)


def _volume(candle: Candle) -> float | None:
    """Return what traded in ``candle``, None where that is not known: it counts ticks, or has no sizes."""
    if candle.volume_kind == "tick" or (candle.volume == 0 and candle.turnover is None):
        return None
    return candle.volume
