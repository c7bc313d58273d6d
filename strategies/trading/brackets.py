"""What is to guard the position that an entry opens: the signal's stop and target, and the configured ones.

Of two the tighter counts, so a configured exit cannot be loosened by asking for another. Targets, and what
arms a trail, are compared at the price at which the order is to trade (its limit or stop price, else the one
that the strategy saw). The configured widths of stop and trail go along as ``widest_stop`` and
``widest_trail``, which hold whatever entry and best price come to.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from bus.messages import Level, Signal, Trail
from strategies.trading.instruments import Instrument
from strategies.trading.levels import Protection, better, distance, known, problem
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
    wrong = _stop(protect, side, entry) or _target(protect, side, entry) or _trailing(protect, side, entry)
    if wrong is None and protect.time_stop_s is None:
        return None
    # What is not known has no distance, so it stands on no side: only now is it asked why.
    return Refusal("protective_unknown", why) if (why := problem(protect)) else wrong


def _stop(protect: Protection, side: int, entry: float) -> Refusal | None:
    level = protect.stop_loss
    if level is None:
        return None
    stop = _stands(level, protect, entry, -side)
    if not known(stop):
        return Refusal("stop_side", f"{_said('stop_loss', level)} is at no price there can be")
    if not better(side, entry, stop):
        where = "below" if side > 0 else "above"
        return Refusal("stop_side", f"the stop at {stop:g} is not {where} the entry at {entry:g}")
    return None


def _target(protect: Protection, side: int, entry: float) -> Refusal | None:
    level = protect.take_profit
    if level is None:
        return None
    target = _stands(level, protect, entry, side)
    if not known(target):
        return Refusal("target_side", f"{_said('take_profit', level)} is at no price there can be")
    if not better(side, target, entry):
        where = "above" if side > 0 else "below"
        return Refusal("target_side", f"the target at {target:g} is not {where} the entry at {entry:g}")
    return None


def _trailing(protect: Protection, side: int, entry: float) -> Refusal | None:
    trail = protect.trailing_stop
    if trail is None:
        return None
    away = distance(trail.kind, trail.value, protect, entry)
    unarmed = trail.activation is not None and not known(trail.activation)
    if unarmed or not away or (side > 0 and away >= entry):
        return Refusal("stop_side", f"{_said('trailing_stop', trail)} is at no price there can be")
    return None


def _stands(level: Level, protect: Protection, entry: float, direction: int) -> float:
    if level.kind == "price":
        return level.value
    return entry + direction * distance(level.kind, level.value, protect, entry)


def tightest(
    wanted: Protection | None, configured: Iterable[Protection | None], entry: float, square_off_at: int = 0
) -> Protection | None:
    """Return the tighter of what the signal wants and what is configured, each by each; None for nothing.

    ``configured`` is in percent and seconds (``Limits.protect``), ``wanted`` in anything.
    """
    limits = [limit for limit in configured if limit is not None]
    if not limits:
        return replace(wanted or _NOTHING, square_off_at=square_off_at) if square_off_at else wanted
    own = wanted or _NOTHING
    seconds, stop, trail = own.time_stop_s, own.widest_stop, own.widest_trail
    for limit in limits:
        seconds = _least(seconds, limit.time_stop_s)
        stop = _least(stop, limit.widest_stop)
        trail = _least(trail, limit.widest_trail)
    return Protection(
        stop_loss=own.stop_loss,
        take_profit=_nearest(own, limits, entry),
        trailing_stop=_trail(own, limits, entry),
        time_stop_s=seconds,
        square_off_at=square_off_at,
        atr=own.atr,
        tick_size=own.tick_size,
        widest_stop=stop,
        widest_trail=trail,
    )


def within_target(asked: Protection, configured: Iterable[Protection | None], entry: float) -> Protection:
    """Return what an adjust asks for with its target no further than a configured one.

    The rest cannot be loosened as it is: stops, trails and times only ever tighten (``protection.adjust``).
    """
    if asked.take_profit is None:
        return asked
    limits = [limit for limit in configured if limit is not None]
    return replace(asked, take_profit=_nearest(asked, limits, entry))


_NOTHING: Final = Protection()


def _nearest(own: Protection, limits: list[Protection], entry: float) -> Level | None:
    nearest, away = own.take_profit, math.inf
    if nearest is not None and nearest.kind == "price":
        away = abs(nearest.value - entry)
    elif nearest is not None:
        away = distance(nearest.kind, nearest.value, own, entry)
    for limit in limits:
        other = limit.take_profit
        if other is not None and other.value * entry / 100 < away:
            nearest, away = other, other.value * entry / 100
    return nearest


def _trail(own: Protection, limits: list[Protection], entry: float) -> Trail | None:
    """Return the trail of the signal, else the nearest that is configured, armed as early as the earliest.

    A configured width holds besides, as ``widest_trail``, wherever the best price comes to be.
    """
    trails = [limit.trailing_stop for limit in limits if limit.trailing_stop is not None]
    if not trails:
        return own.trailing_stop
    earliest = min(0.0 if trail.activation is None else trail.activation for trail in trails)
    kept = own.trailing_stop
    if kept is None:
        return Trail("pct", min(trail.value for trail in trails), earliest or None)
    if kept.activation is None or not earliest:
        return Trail(kept.kind, kept.value)
    arms, unit = earliest * entry / 100, distance(kept.kind, 1.0, own, entry)
    return kept if kept.activation * unit <= arms else Trail(kept.kind, kept.value, arms / unit)


def _least(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _said(name: str, level: Level | Trail) -> str:
    return f"{name} {level.value:g} {level.kind}"
