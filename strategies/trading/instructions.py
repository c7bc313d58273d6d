"""Step 7 of the gate: what kind of order is asked for, whether it makes sense, and at what prices.

``instructions`` judges what is said, for exits as for entries: an order that cannot be carried out as it is
written is refused, never carried out otherwise. What only binds orders that take on risk (collars, the side
of a stop price) is judged once the order has a side (``entry_prices``).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus.messages import OrderType, Signal, TimeInForce
from strategies.trading.instruments import Instrument, on_grid
from strategies.trading.rules import Refusal
from strategies.trading.view import Session

COLLAR: Final = 0.05
"""Share by which ``reference_price`` may differ from the last price. Five per cent is the limit-up
limit-down band of liquid US stocks in regular hours (Plan to Address Extraordinary Volatility, tier 1)."""
LARGEST: Final = 1e15

_MONEY: Final = ("quantity", "notional", "limit_price", "stop_price", "reference_price", "time_stop_s")
_SIGNED: Final = ("target_quantity", "target_weight")
_PRICES: Final[dict[OrderType, tuple[str, ...]]] = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
}
_AT_ONCE: Final = frozenset({"ioc", "fok"})


class Instructions(Struct, frozen=True, gc=False):
    """What the order is to be; ``expires_at`` is event time in ns, 0 for never."""

    kind: OrderType
    limit_price: float | None
    stop_price: float | None
    time_in_force: TimeInForce
    expires_at: int
    max_slippage_bps: float | None

    @property
    def price(self) -> float | None:
        """The price at which the order is to trade, None for the market's: its limit, else its stop."""
        return self.stop_price if self.limit_price is None else self.limit_price


def numbers(signal: Signal) -> Refusal | None:
    """Judge what decoding has judged already, for signals that never were on a wire (backtests)."""
    for name in _MONEY:
        value = getattr(signal, name)
        if value is not None and not 0 < value <= LARGEST:
            return Refusal("number_invalid", f"{name} is {value!r}, not a finite number above zero")
    for name in _SIGNED:
        value = getattr(signal, name)
        if value is not None and not -LARGEST <= value <= LARGEST:
            return Refusal("number_invalid", f"{name} is {value!r}, not a finite number")
    share, slippage = signal.risk_pct, signal.max_slippage_bps
    if share is not None and not 0 < share <= 100:
        return Refusal("number_invalid", f"risk_pct is {share!r}, not above 0 and at most 100")
    if slippage is not None and not 0 <= slippage <= LARGEST:
        return Refusal(
            "number_invalid", f"max_slippage_bps is {slippage!r}, not a finite number from zero on"
        )
    return None


def instructions(
    signal: Signal, instrument: Instrument | None, session: Session, now: int, exits: bool
) -> Instructions | Refusal:
    """Return what the order is to be, or why there can be no such order."""
    kind, tif = signal.order_type, signal.time_in_force
    wrong = _given(signal, instrument)
    if wrong:
        return wrong
    till = signal.good_till
    if (till is not None) != (tif == "gtd") or (till is not None and till <= now):
        return Refusal("good_till_invalid", _good_till(signal, now))
    if tif in _AT_ONCE and "stop_price" in _PRICES[kind]:
        return Refusal(
            "time_in_force_unsupported", f"{tif}: a {kind} order waits for its price; day, gtc or gtd"
        )
    if signal.max_slippage_bps is not None and kind != "market":
        return Refusal(
            "instruction_unsupported", f"max_slippage_bps is given, and a {kind} order has its price"
        )
    return Instructions(
        kind,
        signal.limit_price,
        signal.stop_price,
        tif,
        _expires_at(signal, session, exits),
        None if exits else signal.max_slippage_bps,
    )


def entry_prices(asked: Instructions, side: int, last: float) -> Refusal | None:
    """Judge the prices of an order that takes on risk, against the last one.

    A buy limit far above the market, or a sell limit far below, is a slip of the pen (a fat finger). A stop
    that the market has passed already would be a market order by another name: venues reject it.
    """
    limit, stop = asked.limit_price, asked.stop_price
    if limit is not None and stop is None and not side * (limit - last) <= COLLAR * last:
        return Refusal(
            "price_collar",
            f"limit_price {limit:g} is more than {COLLAR:.0%} beyond the last price, {last:g}",
        )
    if stop is not None and not side * (stop - last) > 0:
        where = "above" if side > 0 else "below"
        return Refusal("stop_side", f"stop_price {stop:g} is not {where} the last price, {last:g}")
    if limit is not None and stop is not None and not side * (limit - stop) <= COLLAR * stop:
        return Refusal(
            "price_collar", f"limit_price {limit:g} is more than {COLLAR:.0%} beyond stop_price {stop:g}"
        )
    return None


def collar(signal: Signal, last: float | None) -> Refusal | None:
    """Judge whether the strategy saw the market as it is; an unknown price is no price to trade at."""
    if last is None or not 0 < last <= LARGEST:
        return Refusal("price_unknown", f"no price of {signal.symbol} has been seen yet")
    seen = signal.reference_price
    if seen is None:
        return Refusal("reference_unknown", "reference_price is missing, so the collar cannot be judged")
    if abs(seen - last) > COLLAR * last:
        return Refusal(
            "price_collar",
            f"the strategy saw {seen:g}, the last price is {last:g}: more than {COLLAR:.0%} apart",
        )
    return None


def _given(signal: Signal, instrument: Instrument | None) -> Refusal | None:
    """Judge which prices are given, and that they are prices of the symbol."""
    kind = signal.order_type
    wanted = _PRICES[kind]
    for name, price in (("limit_price", signal.limit_price), ("stop_price", signal.stop_price)):
        if price is None:
            if name in wanted:
                return Refusal("order_price_missing", f"a {kind} order needs {name}")
            continue
        if name not in wanted:
            return Refusal("order_price_unexpected", f"{name} is given, and a {kind} order takes none")
        if instrument is not None and not on_grid(price, instrument.tick_size):
            tick = instrument.tick_size
            return Refusal("off_tick_grid", f"{name} {price:g} is no multiple of the tick size {tick:g}")
    return None


def _good_till(signal: Signal, now: int) -> str:
    if signal.good_till is None:
        return "gtd needs good_till"
    if signal.time_in_force != "gtd":
        return f"good_till is given, and time_in_force is {signal.time_in_force}"
    return f"good_till is {(now - signal.good_till) / 1e9:.3f} s ago"


def _expires_at(signal: Signal, session: Session, exits: bool) -> int:
    """Return when the order ends. A day order ends with the trading day, an entry at the square-off at last.

    One that filled after that would hold until the next day what this day was to be closed of.

    A market order that only reduces waits for its tick however long that takes: ``day`` is what a signal
    says that says nothing, and an exit that expires overnight would leave the position to it.
    """
    ends = session.closes_at
    if signal.good_till is not None:
        ends = signal.good_till
    elif signal.time_in_force != "day" or (exits and signal.order_type == "market"):
        ends = 0
    square = 0 if exits else session.square_off_at
    return min(ends, square) if ends and square else ends or square
