"""What is to guard the position that an entry opens: the signal's stop and target, and the configured ones.

Of two the tighter counts, so a configured exit cannot be loosened by asking for another. Levels in percent
are compared as they are; others at the price at which the order is to trade (its limit or stop price, else
the one that the strategy saw). The configured stop goes along as ``Protection.widest_stop``, which holds
whatever the entry comes to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from bus.messages import Level, Signal, Trail
from strategies.trading.instruments import Instrument
from strategies.trading.levels import Protection, better, distance, problem, stop_price, target_price
from strategies.trading.rules import Refusal

PROTECTIVE: Final = ("stop_loss", "take_profit", "trailing_stop", "time_stop_s")


def asked(signal: Signal, instrument: Instrument | None) -> Protection | None:
    """Return what the signal itself asks for, None if nothing."""
    stop, target = signal.stop_loss, signal.take_profit
    trail, seconds = signal.trailing_stop, signal.time_stop_s
    if stop is None and target is None and trail is None and seconds is None:
        return None
    return Protection(
        stop_loss=stop,
        take_profit=target,
        trailing_stop=trail,
        time_stop_s=seconds,
        atr=signal.indicators.get("atr"),
        tick_size=None if instrument is None else instrument.tick_size,
    )


def unheld(protect: Protection, side: int, entry: float) -> Refusal | None:
    """Return why a position of ``side`` (+1, -1) entered at ``entry`` cannot be guarded so, None if it can.

    A stop that is not on the losing side would close the position with its first tick; one that no price
    reaches (100 % below) would never. A target on the losing side is a loss by another name.
    """
    if why := problem(protect):
        return Refusal("protective_unknown", why)
    losing, winning = ("below", "above") if side > 0 else ("above", "below")
    if protect.stop_loss is not None:
        stop = stop_price(protect, side, entry)
        if stop is None:
            return Refusal(
                "stop_side", f"{_said('stop_loss', protect.stop_loss)} is at no price there can be"
            )
        if not better(side, entry, stop):
            return Refusal("stop_side", f"the stop at {stop:g} is not {losing} the entry at {entry:g}")
    if protect.take_profit is not None:
        target = target_price(protect, side, entry)
        if target is None:
            said = _said("take_profit", protect.take_profit)
            return Refusal("target_side", f"{said} is at no price there can be")
        if not better(side, target, entry):
            return Refusal("target_side", f"the target at {target:g} is not {winning} the entry at {entry:g}")
    trail = protect.trailing_stop
    if trail is not None and side > 0 and distance(trail.kind, trail.value, protect, entry) >= entry:
        return Refusal("stop_side", f"{_said('trailing_stop', trail)} is at no price there can be")
    return None


def tightest(
    wanted: Protection | None, configured: Iterable[Protection | None], entry: float, square_off_at: int = 0
) -> Protection | None:
    """Return the tighter of what the signal wants and what is configured, each by each; None for nothing."""
    merged = wanted
    for limit in configured:
        if limit is not None:
            merged = limit if merged is None else _tighter(merged, limit, entry)
    if not square_off_at:
        return merged
    return replace(merged or Protection(), square_off_at=square_off_at)


def within_target(asked: Protection, configured: Iterable[Protection | None], entry: float) -> Protection:
    """Return what an adjust asks for with its target no further than a configured one.

    The rest cannot be loosened as it is: stops, trails and times only ever tighten (``protection.adjust``).
    """
    if asked.take_profit is None:
        return asked
    for limit in configured:
        if limit is not None:
            asked = replace(asked, take_profit=_nearer(asked, limit, entry))
    return asked


def _tighter(wanted: Protection, limit: Protection, entry: float) -> Protection:
    """``limit`` is in percent and seconds (``Limits.protect``); ``wanted`` in anything."""
    return replace(
        wanted,
        take_profit=_nearer(wanted, limit, entry),
        trailing_stop=_trail(wanted, limit, entry),
        time_stop_s=_least(wanted.time_stop_s, limit.time_stop_s),
        widest_stop=_least(wanted.widest_stop, limit.widest_stop),
    )


def _nearer(wanted: Protection, limit: Protection, entry: float) -> Level | None:
    one, other = wanted.take_profit, limit.take_profit
    if one is None or other is None:
        return one or other
    away = abs(one.value - entry) if one.kind == "price" else distance(one.kind, one.value, wanted, entry)
    return one if away <= distance(other.kind, other.value, limit, entry) else other


def _trail(wanted: Protection, limit: Protection, entry: float) -> Trail | None:
    """Return a trail as near as the nearer and armed as early as the earlier: no looser than either."""
    one, other = wanted.trailing_stop, limit.trailing_stop
    if one is None or other is None:
        return one or other
    near = distance(one.kind, one.value, wanted, entry) <= distance(other.kind, other.value, limit, entry)
    kept, basis, rest, of = (one, wanted, other, limit) if near else (other, limit, one, wanted)
    if kept.activation is None or rest.activation is None:
        return Trail(kept.kind, kept.value)
    arms = distance(rest.kind, rest.activation, of, entry)
    if arms >= distance(kept.kind, kept.activation, basis, entry):
        return kept
    return Trail(kept.kind, kept.value, arms / distance(kept.kind, 1.0, basis, entry))


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _said(name: str, level: Level | Trail) -> str:
    return f"{name} {level.value:g} {level.kind}"
