"""What is to protect a position, and at which prices that stands.

Distances are resolved against an average entry. Where the engine would have to guess, it closes: a distance
in a unit that is not known (no tick size, no ATR, a NaN) is no distance at all, so the position is closed at
once rather than held unguarded. The gate refuses such a signal (``problem``); that rule is for what should
not happen.

``side`` is +1 for a long position and -1 for a short one throughout.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

from bus.messages import Level, Trail

LARGEST: Final = 1e15
SMALLEST: Final = 1e-12
"""Bounds of a distance that is written down: the journal must decode what it is given (bus ``Price``)."""
DIGITS: Final = 14
"""Significant digits of a computed price. A double has 15.95; the last are noise of the arithmetic. Prices
come as decimals, so a stop that is meant to stand on one must be equal to it, or a touch is missed."""


class Protection(Struct, frozen=True, array_like=True, kw_only=True):
    """What is to guard a position: of the signal that opened it and of the risk configuration, the tighter.

    ``atr`` and ``tick_size`` are what distances of these kinds are multiples of, None where unknown.
    ``square_off_at`` is event time in ns, 0 for none. ``widest_stop`` is the configured stop in percent of
    the entry, ``widest_trail`` the configured trail in percent of the best price: stop and trailing stop may
    be no further away, whatever entry and price come to, and in whatever kind they were asked for.

    Percent is of the average entry, but of the best price for the distance of a trailing stop, as brokers
    have it. The kind "price" is an absolute price for a stop or a target, and a distance for a trail.
    """

    stop_loss: Level | None = None
    take_profit: Level | None = None
    trailing_stop: Trail | None = None
    time_stop_s: float | None = None
    square_off_at: int = 0
    atr: float | None = None
    tick_size: float | None = None
    widest_stop: float | None = None
    widest_trail: float | None = None

    @property
    def asks(self) -> bool:
        """Whether it names anything to guard against: units do not, nor does how wide a trail may be."""
        levels = (self.stop_loss, self.take_profit, self.trailing_stop, self.time_stop_s, self.widest_stop)
        return self.square_off_at != 0 or any(each is not None for each in levels)


def problem(protect: Protection) -> str:
    """Return why ``protect`` cannot be held (a number that is none, a unit that is unknown), "" if it can."""
    for name in ("time_stop_s", "widest_stop", "widest_trail"):
        number: float | None = getattr(protect, name)
        if number is not None and not known(number):
            return f"{name} is {number!r}, not a finite number above zero"
    for name in ("stop_loss", "take_profit", "trailing_stop"):
        level: Level | Trail | None = getattr(protect, name)
        if level is None:
            continue
        values = (level.value, level.activation) if isinstance(level, Trail) else (level.value,)
        for value in values:
            if value is not None and not known(value):
                return f"{name} has {value!r}, not a finite number above zero"
        if level.kind == "ticks" and not known(protect.tick_size):
            return f"{name} is in ticks, and the tick size of the symbol is not known"
        if level.kind == "atr" and not known(protect.atr):
            return f'{name} is in ATR, and the signal brings no number above zero as indicators["atr"]'
    return ""


def stop_price(protect: Protection, side: int, entry: float) -> float | None:
    """Return where the stop stands for an average ``entry``, None for none or one that no price reaches."""
    stop = None if protect.stop_loss is None else _resolved(protect.stop_loss, protect, entry, -side)
    if protect.widest_stop is None:
        return stop
    widest = reachable(entry - side * distance("pct", protect.widest_stop, protect, entry))
    return tighter(side, stop, widest)


def target_price(protect: Protection, side: int, entry: float) -> float | None:
    """Return where the target stands for an average ``entry``, None as for a stop."""
    return None if protect.take_profit is None else _resolved(protect.take_profit, protect, entry, side)


def trail_price(protect: Protection, side: int, peak: float) -> float | None:
    """Return where the trailing stop stands for the best price ``peak``, None as for a stop."""
    trail = protect.trailing_stop
    if trail is None:
        return None
    stands = reachable(peak - side * distance(trail.kind, trail.value, protect, peak))
    if protect.widest_trail is None:
        return stands
    return tighter(
        side, stands, reachable(peak - side * distance("pct", protect.widest_trail, protect, peak))
    )


def activates(protect: Protection, side: int, entry: float, price: float) -> bool:
    """Whether ``price`` is as far into profit as the trailing stop waits for."""
    trail = protect.trailing_stop
    if trail is None:
        return False
    return not better(side, exact(entry + side * activation(trail, protect, entry)), price)


def activation(trail: Trail, protect: Protection, entry: float) -> float:
    """Return how far into profit, in price, ``trail`` begins; negative infinity for at once."""
    if trail.activation is None:
        return -math.inf
    return distance(trail.kind, trail.activation, protect, entry)


def distance(kind: str, value: float, protect: Protection, base: float) -> float:
    """Return a distance in price, 0.0 where its unit or its value is not known (head of this module)."""
    if kind == "pct":
        unit: float | None = base / 100
    elif kind == "ticks":
        unit = protect.tick_size
    elif kind == "atr":
        unit = protect.atr
    else:
        unit = 1.0
    return value * unit if unit is not None and known(unit) and known(value) else 0.0


def better(side: int, price: float, than: float) -> bool:
    """Whether ``price`` is more profit for the position than ``than``."""
    return price > than if side > 0 else price < than


def tighter(side: int, one: float | None, other: float | None) -> float | None:
    """Return the stop that closes the position first; None is no stop."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other) if side > 0 else min(one, other)


def reachable(price: float) -> float | None:
    """Return ``price`` without the noise of its arithmetic, None where nothing ever trades."""
    price = exact(price)
    return price if known(price) else None


def exact(price: float) -> float:
    """Return the double nearest to the first ``DIGITS`` significant digits of ``price``."""
    return float(f"{price:.{DIGITS}g}")


def known(number: float | None) -> bool:
    """Whether ``number`` can be a price or a distance: NaN compares false, so it is not."""
    return number is not None and 0 < number <= LARGEST


def _resolved(level: Level, protect: Protection, entry: float, direction: int) -> float | None:
    if level.kind == "price":
        return reachable(level.value if known(level.value) else entry)
    return reachable(entry + direction * distance(level.kind, level.value, protect, entry))
