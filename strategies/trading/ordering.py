"""Steps 7 to 11 of the gate: which order follows from a signal that may have one, and what guards it.

The order of an exit is sized and that is all; what takes on risk is held to its prices and to every limit.
"""

from __future__ import annotations

from bus.messages import Decision, Signal
from strategies.trading import brackets, caps, protection
from strategies.trading.instructions import LARGEST, Instructions, collar, entry_prices, instructions, numbers
from strategies.trading.levels import Protection, stop_price
from strategies.trading.rules import RULES, Refusal
from strategies.trading.sizing import Money, Size, in_lots, size
from strategies.trading.view import Verdict, View


def money(signal: Signal, view: View) -> Money:
    """Return what sizes in money are turned into units with, at the order's own price if it has one."""
    at = signal.limit_price or signal.stop_price or view.price
    each = _worth(view)
    if at is None or each is None:
        return Money(equity=view.account.equity)
    at_stake = None if signal.risk_pct is None else _at_stake(signal, view, at, each)
    return Money(at * each, view.account.equity, at_stake)


def _at_stake(signal: Signal, view: View, at: float, each: float) -> float | None:
    """Return what a unit that is entered ``at`` loses if the signal's own stop is hit at its price."""
    wanted = brackets.asked(signal, view.instrument)
    side = -1 if signal.intent == "enter_short" else 1
    stop = None if wanted is None else stop_price(wanted, side, at)
    return None if stop is None else side * (at - stop) * each


def order(signal: Signal, view: View, now: int, exits: bool, money: Money) -> Verdict | Refusal:
    """Return what follows from ``signal``: the order that is to be placed, or why none is."""
    wrong = numbers(signal)
    if wrong:
        return wrong
    if signal.intent == "cancel":
        return caps.rates(view, exits) or _cancel(signal, view)
    if signal.intent == "adjust":
        return caps.rates(view, exits) or _adjust(signal, view)
    asked = instructions(signal, view.instrument, view.session, now, exits)
    if isinstance(asked, Refusal):
        return asked
    if not exits and (unknown := _entry(signal, view)):
        return unknown
    sized = size(signal, view.own.expected, money)
    if isinstance(sized, Size):
        sized = _bounded(sized) or in_lots(sized, view.own.expected, view.instrument)
    if isinstance(sized, Refusal):
        # A question of rate comes before one of position.
        late = RULES[sized.rule].step > RULES["rate"].step
        return (caps.rates(view, exits) if late else None) or sized
    if sized.reduce_only:
        return caps.rates(view, exits) or _accepted(signal, asked, sized, None)
    return _opening(signal, view, asked, sized)


def _bounded(sized: Size) -> Refusal | None:
    """Judge whether a quantity can be: one that was divided by a price may be none, infinite or no number."""
    if 0 < abs(sized.quantity) <= LARGEST:
        return None
    return Refusal("quantity_out_of_range", f"the order comes to {sized.quantity:g} units")


def _worth(view: View) -> float | None:
    """Return what a price of one is worth for one unit, in the account's currency."""
    if view.instrument is None or view.rate is None:
        return None
    return view.instrument.multiplier * view.rate


def _entry(signal: Signal, view: View) -> Refusal | None:
    """Judge what only binds signals that take on risk: reasons, terms, limits and prices must be known."""
    reason = signal.reason if isinstance(signal.reason, str) else signal.reason.code or signal.reason.text
    if not reason.strip():
        return Refusal("reason_missing", 'an entry says why: reason="..."')
    if view.instrument is None:
        return Refusal("instrument_unknown", f"the terms of {signal.symbol} cannot be read")
    for who, party in caps.parties(view):
        limits = party.limits
        if limits.invalid:
            return Refusal("limit_invalid", f"{who}: {limits.invalid[0]}")
        if limits.unheld:
            return Refusal("limit_unsupported", f"{who}: there is no limit {', '.join(limits.unheld)}")
    return collar(signal, view.price)


def _opening(signal: Signal, view: View, asked: Instructions, sized: Size) -> Verdict | Refusal:
    """Steps 7 to 11 for an order that takes on risk, now that its side and size are known."""
    quantity, side = sized.quantity, 1 if sized.quantity > 0 else -1
    last = view.price or 0.0
    entry = asked.price or signal.reference_price or last
    wanted = brackets.asked(signal, view.instrument)
    each = _worth(view)
    # At the worse of both prices: a sell limit above the market is worth more when it fills.
    unit = None if each is None else max(last, entry) * each
    refusal = (
        entry_prices(asked, side, last)
        or (None if wanted is None else brackets.unheld(wanted, side, entry))
        or caps.either(view, caps.notional, quantity, unit)
        or caps.rates(view, exits=False)
        or caps.either(view, caps.order_rates)
        or (Refusal("held_otherwise", view.otherwise) if view.otherwise else None)
        or caps.either(view, caps.position, quantity, caps.is_open(view.own))
        or caps.either(view, caps.exposure, view.own.worst(quantity), unit)
        or caps.either(view, caps.losses)
        or _remote(view)
    )
    if refusal:
        return refusal
    protect = brackets.tightest(wanted, caps.configured(view), entry, view.session.square_off_at)
    return _accepted(signal, asked, sized, protect)


# ---- step 9, for signals that are no order --------------------------------------------------------
def _cancel(signal: Signal, view: View) -> Verdict | Refusal:
    if not view.waiting:
        return Refusal("nothing_to_cancel", f"no order of {signal.symbol} waits")
    return Verdict("accepted")


def _adjust(signal: Signal, view: View) -> Verdict | Refusal:
    guard = view.guard
    if guard is None:
        return Refusal("no_position", f"no position in {signal.symbol} to guard otherwise")
    wanted = brackets.asked(signal, view.instrument)
    if wanted is None:
        return Refusal("nothing_to_adjust", f"none of {', '.join(brackets.PROTECTIVE)} is given")
    wanted = brackets.within_target(wanted, caps.configured(view), guard.entry)
    new = protection.adjust(guard, wanted, view.price, after=guard.after)
    if isinstance(new, str):
        return Refusal("adjust_refused", new)
    return Verdict("accepted", adjust=wanted)


# ---- step 11 --------------------------------------------------------------------------------------
def _remote(view: View) -> Refusal | None:
    """Judge what the remote risk service says; without its answer live trading fails closed."""
    if view.mode != "live" or view.clearance in {"none", "clear"}:
        return None
    if view.clearance == "denied":
        return Refusal("remote_denied", "the remote risk service lets no entry of the account through")
    return Refusal("remote_unreachable", "the remote risk service has not answered in time")


# ---- the answer -----------------------------------------------------------------------------------
def _accepted(signal: Signal, asked: Instructions, sized: Size, protect: Protection | None) -> Verdict:
    decision: Decision = "accepted"
    rule = detail = ""
    changes: dict[str, float | str] = {}
    if sized.clipped or sized.rounded:
        decision, changes = "modified", {"quantity": sized.quantity}
        rule = "clipped_to_position" if sized.clipped else "lot_rounded"
        what = "the {:g} units that are held" if sized.clipped else "{:g} units, which are whole lots"
        detail = "cut down to " + what.format(abs(sized.quantity))
    elif asked.max_slippage_bps != signal.max_slippage_bps:
        decision, rule, changes = "modified", "slippage_unbounded", {"max_slippage_bps": ""}
        detail = "max_slippage_bps was dropped: an exit takes the price that there is"
    return Verdict(
        decision,
        rule,
        detail,
        quantity=sized.quantity,
        reduce_only=sized.reduce_only,
        kind=asked.kind,
        limit_price=asked.limit_price,
        stop_price=asked.stop_price,
        time_in_force=asked.time_in_force,
        expires_at=asked.expires_at,
        max_slippage_bps=asked.max_slippage_bps,
        oco_group=signal.oco_group or "",
        protect=protect,
        changes=changes,
    )
