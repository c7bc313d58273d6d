"""Orders, ticks, candles and terms made short, for tests of matching and of the paper broker."""

from __future__ import annotations

from typing import Any

from bus.messages import Candle, Tick
from strategies.trading.broker import PaperBroker, Venue
from strategies.trading.execution import WHY, Match
from strategies.trading.instruments import Instrument
from strategies.trading.matching import on_tick
from strategies.trading.orders import Order
from strategies.trading.terms import Terms

SEEN = 1_000
"""When the data behind every order was stamped (ns)."""
PLAIN = Instrument(symbol="X")
FREE = Terms()


def order(quantity: float = 1.0, **fields: Any) -> Order:
    """Return an order of deployment ``d`` for X; a price of a stop or limit makes it one of that kind."""
    stop, limit = fields.get("stop_price"), fields.get("limit_price")
    kinds = {
        (False, False): "market",
        (True, False): "stop",
        (False, True): "limit",
        (True, True): "stop_limit",
    }
    defaults: dict[str, Any] = {
        "order_id": "o1", "signal_id": "s", "deployment_id": "d", "account_id": "A", "symbol": "X",
        "reduce_only": False, "leg": "", "data_as_of": SEEN, "accepted_at": 2_000, "seq": 1,
        "kind": kinds[stop is not None, limit is not None],
    }  # fmt: skip
    return Order(quantity=quantity, **(defaults | fields))


def candle(open_: float, high: float, low: float, close: float, **fields: Any) -> Candle:
    """Return a closed one of X over [1000, 2000) with a volume of 1,000."""
    defaults: dict[str, Any] = {
        "symbol": "X", "timeframe": "1m", "open_time": 1_000, "close_time": 2_000, "volume": 1_000.0,
        "turnover": 1.0,
    }  # fmt: skip
    return Candle(open=open_, high=high, low=low, close=close, **(defaults | fields))


BAR = candle(100.0, 105.0, 95.0, 102.0)
HALF = Venue(terms=lambda _: Terms(volume_share=0.5))


def trade(
    price: float, size: float | None = None, ts: int = 1_001, symbol: str = "X", flags: int = 0
) -> Tick:
    return Tick(symbol, ts, last=price, size=size, flags=flags)


def quote(bid: float | None, ask: float | None, ts: int = 1_001, **fields: Any) -> Tick:
    return Tick("X", ts, bid=bid, ask=ask, **fields)


def rested(quantity: float, limit: float, **fields: Any) -> Order:
    """Return a limit order that the market has seen."""
    return order(quantity, limit_price=limit, resting=True, **fields)


def hit(
    made: Order, tick: Tick, terms: Terms = FREE, instrument: Instrument = PLAIN, **fields: Any
) -> tuple[float, float, str] | None:
    """Return (quantity, price, done or why) of what a tick does, None for nothing at all."""
    match = sound(made, on_tick(made, tick, terms, instrument, **fields))
    return None if match is None else (match.quantity, match.price, match.why or match.done)


def sound(made: Order, match: Match | None) -> Match | None:
    """Return ``match``, of which what holds of every match is checked."""
    if match is not None:
        assert made.order_id == match.order.order_id
        assert isinstance(match.at, int)
        assert match.done in {"", "filled", "cancelled", "expired"}
        assert (match.done == "filled") == (match.order.left == 0.0)
        assert (match.done == "expired") == (match.why == "expired")
        assert match.why in {"", *WHY}
        assert bool(match.done) == bool(match.done == "filled" or match.why) or match.why == "oco"
        assert match.quantity or match.fee == match.price == 0.0
    return match


def broker(*orders: Order) -> PaperBroker:
    made = PaperBroker()
    for each in orders:
        made.place(each)
    return made


def holding(held: float, terms: Terms = FREE, instrument: Instrument = PLAIN) -> Venue:
    return Venue(terms=lambda _: terms, instrument=lambda _: instrument, held=lambda _d, _s: held)


def told(matches: list[Match]) -> list[tuple[str, float, str]]:
    return [(m.order.order_id, m.quantity, m.why or m.done) for m in matches if sound(m.order, m)]


def carry_out(made: PaperBroker, matches: list[Match]) -> None:
    """Do to the broker what its owner does once each match is recorded."""
    for match in matches:
        if match.done:
            made.remove(match.order.deployment_id, match.order.symbol, match.order.order_id)
        else:
            made.replace(match.order)
