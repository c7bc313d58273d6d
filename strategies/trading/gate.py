"""The gate: ``judge(signal, view, now) -> Verdict``, pure, in the order of steps that signals.md has.

What cannot be judged is not accepted: a number that is missing, not finite or unknown never disables a
limit. It blocks entries and lets exits through, since an exit only takes risk away. Every refusal names
a rule (``rules.RULES``: the ids, their steps, their meaning). One step is one function below; the first
that answers wins. Steps 10 (risk of deployment and account) and 11 (remote risk service) have their
place in ``judge``; 12 (write, route, ack) is the core's.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from bus.messages import Signal
from strategies.trading.desk import Standing
from strategies.trading.orders import Size, Unsized, reduces, size
from strategies.trading.rules import RULES
from strategies.trading.ttl import CLOCK_SKEW, SECOND, ttl
from strategies.trading.view import Verdict, View

COLLAR: Final = 0.05
"""Share by which ``reference_price`` may differ from the last price. Five per cent is the limit-up
limit-down band of liquid US stocks in regular hours (Plan to Address Extraordinary Volatility, tier 1)."""
MAX_EVIDENCE: Final = 4_096
MAX_OPEN_ORDERS: Final = 100
"""Orders that one deployment may have waiting in one symbol: bounds memory while a feed is silent."""
LARGEST: Final = 1e15

CAUSES: Final = frozenset({"tick", "timer", "feed", "fill", "bound", "stop"})
"""What ``timeframe`` may name besides a granted one: signals that no candle caused."""


def judge(signal: Signal, view: View, now: int) -> Verdict:
    """Return the verdict on ``signal`` at ``now`` (ns, the clock that stamped its data)."""
    exits = reduces(signal, view.own.expected)
    early = (
        _evidence(signal)
        or _fencing(view)
        or _lifecycle(view, exits)
        or _duplicate(view)
        or _timing(signal, now, exits)
        or _grant(signal, view, exits)
        or _numbers(signal)
        or _instructions(signal)
    )
    if early:
        return early
    if not exits and (unknown := _entry(signal, view)):
        return unknown
    if signal.intent == "cancel":
        return _rates(view, exits) or _cancel(signal, view)
    sized = size(signal, view.own.expected, view.price)
    if isinstance(sized, Unsized):
        return _unsized(sized, view, exits)
    late = _quantity(sized) or _notional(sized, view) or _rates(view, exits) or _position(sized, view)
    # Here goes step 10, daily loss, drawdown and exposure, and step 11, the remote risk service.
    return late or _accept(sized)


_MONEY: Final = ("quantity", "notional", "limit_price", "stop_price", "reference_price", "time_stop_s")
_PROTECTIVE: Final = ("stop_loss", "take_profit", "trailing_stop", "time_stop_s")


def _refuse(rule: str, detail: str) -> Verdict:
    if rule not in RULES:
        raise KeyError(f"{rule} is no rule of the gate (strategies/trading/rules.py)")
    return Verdict("rejected", rule, detail)


# ---- step 1 ---------------------------------------------------------------------------------------
def _evidence(signal: Signal) -> Verdict | None:
    if not signal.tags and not signal.indicators:
        return None
    # Bytes as they are stored: names and texts in UTF-8, eight for a number.
    total = sum(len(name.encode()) + len(text.encode()) for name, text in signal.tags.items())
    total += sum(len(name.encode()) + 8 for name in signal.indicators)
    if total > MAX_EVIDENCE:
        return _refuse("too_large", f"tags and indicators are {total:,} bytes, at most {MAX_EVIDENCE:,}")
    return None


# ---- step 2 ---------------------------------------------------------------------------------------
def _fencing(view: View) -> Verdict | None:
    if view.standing is Standing.GONE:
        return _refuse("not_attached", "no instance of this deployment is known to run")
    if not view.current:
        return _refuse("stale_generation", "a newer instance of this deployment runs")
    return None


# ---- step 3 ---------------------------------------------------------------------------------------
_BARRED: Final[dict[Standing, tuple[str, str]]] = {
    Standing.PAUSED: ("paused", "the deployment is paused"),
    Standing.STOPPING: ("stopping", "the instance is being stopped"),
}
_EXITS_ONLY: Final[dict[Standing, tuple[str, str]]] = {
    Standing.EXIT_ONLY: ("exit_only", "only exits are let through while paused so"),
    Standing.DRAINING: ("stopping", "the instance is being stopped: only exits are let through"),
}


def _lifecycle(view: View, exits: bool) -> Verdict | None:
    if not view.warm:
        return _refuse("warming", "the instance is not warm yet")
    barred = _BARRED.get(view.standing) or (None if exits else _EXITS_ONLY.get(view.standing))
    return _refuse(*barred) if barred else None


# ---- step 4 ---------------------------------------------------------------------------------------
def _duplicate(view: View) -> Verdict | None:
    if not view.duplicate:
        return None
    return Verdict("duplicate", "duplicate", "the same symbol, data, intent and leg was accepted before")


# ---- step 5 ---------------------------------------------------------------------------------------
def _timing(signal: Signal, now: int, exits: bool) -> Verdict | None:
    if not signal.data_as_of:
        return None if exits else _refuse("unstamped", "data_as_of is missing, so the age is unknown")
    age = now - signal.data_as_of
    if age < -CLOCK_SKEW:
        ahead = f"its data is {-age / SECOND:.3f} s ahead of the clock, at most {CLOCK_SKEW / SECOND:g} s"
        return None if exits else _refuse("clock_skew", ahead)
    allowed = ttl(signal, exits)
    if age > allowed:
        return Verdict(
            "expired", "ttl", f"its data is {age / SECOND:.3f} s old, at most {allowed / SECOND:g} s"
        )
    return None


# ---- step 6 ---------------------------------------------------------------------------------------
def _grant(signal: Signal, view: View, exits: bool) -> Verdict | None:
    """Judge symbol, timeframe and mode. Sessions are judged here once the gate is told of them.

    A symbol that was taken from the deployment while it held it can still be exited.
    """
    if signal.symbol not in view.symbols and not (exits and view.own.expected):
        return _refuse("symbol_not_granted", f"{signal.symbol} is not one of {_some(view.symbols)}")
    if signal.timeframe not in view.timeframes and signal.timeframe not in CAUSES:
        return _refuse("timeframe_not_granted", f"{signal.timeframe} is not one of {_some(view.timeframes)}")
    if view.mode not in {"paper", "backtest"}:
        return _refuse("mode_unsupported", f"trading mode {view.mode}: only paper exists yet")
    return None


def _some(names: AbstractSet[str]) -> str:
    shown = sorted(names)[:5]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shown) + more if shown else "(none)"


# ---- step 7 ---------------------------------------------------------------------------------------
def _numbers(signal: Signal) -> Verdict | None:
    """Judge what decoding has judged already, for signals that never were on a wire (backtests)."""
    for name in _MONEY:
        value = getattr(signal, name)
        if value is not None and not 0 < value <= LARGEST:
            return _refuse("number_invalid", f"{name} is {value!r}, not a finite number above zero")
    target = signal.target_quantity
    if target is not None and not -LARGEST <= target <= LARGEST:
        return _refuse("number_invalid", f"target_quantity is {target!r}, not a finite number")
    return None


def _instructions(signal: Signal) -> Verdict | None:
    """Refuse what a market order that fills at the next tick would not do."""
    if signal.intent == "cancel":
        return None
    if signal.intent == "adjust":
        return _refuse("intent_unsupported", "intent adjust: there are no protective exits to adjust yet")
    if signal.order_type != "market":
        return _refuse("order_type_unsupported", f"order_type {signal.order_type}: only market exists yet")
    if signal.time_in_force not in {"day", "gtc"} or signal.good_till is not None:
        given = "good_till" if signal.good_till is not None else f"time_in_force {signal.time_in_force}"
        return _refuse("time_in_force_unsupported", f"{given}: only day and gtc exist yet")
    if signal.max_slippage_bps is not None or signal.oco_group is not None:
        given = "max_slippage_bps" if signal.max_slippage_bps is not None else "oco_group"
        return _refuse("instruction_unsupported", f"{given} is given and would not be obeyed yet")
    if signal.limit_price is not None or signal.stop_price is not None:
        given = "limit_price" if signal.limit_price is not None else "stop_price"
        return _refuse("order_price_unexpected", f"{given} is given, and a market order takes none")
    return None


def _entry(signal: Signal, view: View) -> Verdict | None:
    """Judge what only binds signals that take on risk: protection, limits and prices must be known."""
    reason = signal.reason if isinstance(signal.reason, str) else signal.reason.code or signal.reason.text
    if not reason.strip():
        return _refuse("reason_missing", 'an entry says why: reason="..."')
    limits = view.own.limits
    demanded = [name for name in _PROTECTIVE if getattr(signal, name) is not None]
    if demanded or limits.protective:
        where = "the signal" if demanded else "the risk configuration"
        what = ", ".join(demanded or limits.protective)
        return _refuse(
            "protective_unsupported", f"{where} demands {what}, which the engine does not hold yet"
        )
    if limits.invalid:
        return _refuse("limit_invalid", limits.invalid[0])
    if limits.not_held:
        what = ", ".join(limits.not_held)
        return _refuse("limit_unsupported", f"the risk configuration has {what}, not held yet")
    return _prices(signal, view.price)


def _prices(signal: Signal, price: float | None) -> Verdict | None:
    if price is None or not 0 < price <= LARGEST:
        return _refuse("price_unknown", f"no price of {signal.symbol} has been seen yet")
    seen = signal.reference_price
    if seen is None:
        return _refuse("reference_unknown", "reference_price is missing, so the collar cannot be judged")
    if abs(seen - price) > COLLAR * price:
        return _refuse(
            "price_collar",
            f"the strategy saw {seen:g}, the last price is {price:g}: more than {COLLAR:.0%} apart",
        )
    return None


def _unsized(why: Unsized, view: View, exits: bool) -> Verdict:
    """Refuse a signal that no order follows from, but a question of rate comes before one of position."""
    late = RULES[why.rule].step > RULES["rate"].step
    return (_rates(view, exits) if late else None) or _refuse(why.rule, why.detail)


def _quantity(sized: Size) -> Verdict | None:
    if not 0 < abs(sized.quantity) <= LARGEST:
        return _refuse("quantity_out_of_range", f"the order comes to {sized.quantity:g} units")
    return None


def _notional(sized: Size, view: View) -> Verdict | None:
    limit = view.own.limits.max_notional
    if limit is None or view.price is None or sized.reduce_only:
        return None
    worth = abs(view.own.worst(sized.quantity)) * view.price
    if not worth <= limit:
        return _refuse("max_notional", f"the position would be worth {worth:g}, at most {limit:g}")
    return None


# ---- step 8 ---------------------------------------------------------------------------------------
def _rates(view: View, exits: bool) -> Verdict | None:
    """Judge the deployment's rate. Those of the account, of a minute and of a day belong here too."""
    if not view.own.tokens >= 1:
        return _refuse("rate", "more signals a second than granted")
    # Twice as many with exits, so that entries can never use up the room for getting out.
    allowed = MAX_OPEN_ORDERS * (2 if exits else 1)
    if view.waiting >= allowed:
        return _refuse("open_orders", f"{view.waiting} orders of this symbol wait, at most {allowed}")
    return None


# ---- step 9 ---------------------------------------------------------------------------------------
def _position(sized: Size, view: View) -> Verdict | None:
    limit = view.own.limits.max_position_size
    if limit is None or sized.reduce_only:
        return None
    worst = abs(view.own.worst(sized.quantity))
    if not worst <= limit:
        return _refuse("max_position_size", f"the position would be {worst:g} units, at most {limit:g}")
    return None


def _cancel(signal: Signal, view: View) -> Verdict:
    if not view.waiting:
        return _refuse("nothing_to_cancel", f"no order of {signal.symbol} waits")
    return Verdict("accepted")


def _accept(sized: Size) -> Verdict:
    if sized.clipped:
        detail = f"cut down to the {abs(sized.quantity):g} units that are held"
        return Verdict("modified", "clipped_to_position", detail, sized.quantity, reduce_only=True)
    return Verdict("accepted", quantity=sized.quantity, reduce_only=sized.reduce_only)
