"""What an indicator holds, as plain numbers and back: what it was, not what a shorter past would give.

An exponential average depends on all that it has seen, so it cannot be made again from the candles that are
kept. The shape comes from an indicator made anew with the same arguments: what does not fit it is refused.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Final

from strategies.errors import StateCorrupt
from strategies.indicators import Bands, Indicator
from strategies.rolling import Extreme, Wilder, Window

_PARTS: Final = (Indicator, Window, Wilder, Extreme)
_GIVEN: Final = frozenset({"_divisor", "_factor", "_period", "_width", "period", "size"})
"""Attributes that follow from the arguments and never change."""
_MOST: Final = 2**62


def held_by(part: object) -> list[Any]:
    """Return everything in ``part`` that changes, in the order of its attributes' names."""
    return [_plain(getattr(part, name)) for name in _names(part)]


def give_back(part: object, held: object) -> None:
    """Put what ``held_by`` returned into a part made anew with the same arguments, or ``StateCorrupt``."""
    names = _names(part)
    if not isinstance(held, list) or len(held) != len(names):
        raise StateCorrupt(f"checkpoint: not what a {type(part).__name__} holds")
    for name, value in zip(names, held, strict=True):
        current = getattr(part, name)
        if isinstance(current, _PARTS):
            give_back(current, value)
        else:
            setattr(part, name, _like(current, value, f"{type(part).__name__}.{name}", part))
    if isinstance(part, Window) and part.at >= part.size:
        raise StateCorrupt(f"checkpoint: Window.at is {part.at}, beyond {part.size}")


def _names(part: object) -> list[str]:
    every = {**vars(part), "value": None} if isinstance(part, Indicator) else type(part).__slots__  # type: ignore[attr-defined] # they have
    return sorted(name for name in every if name not in _GIVEN)


def _plain(value: Any) -> Any:
    if isinstance(value, _PARTS):
        return held_by(value)
    return [list(one) if isinstance(one, tuple) else one for one in value] if _is_row(value) else value


def _is_row(value: object) -> bool:
    return isinstance(value, list | deque | Bands)


def _like(current: Any, value: Any, where: str, part: object) -> Any:
    """Return ``value`` as a value of the kind of ``current``."""
    kind = type(current)
    if kind is float and type(value) in {float, int}:
        return float(value)
    if kind is bool and type(value) is bool:
        return value
    if kind is int and type(value) is int and 0 <= value <= _MOST:
        return value
    if kind is Bands and _are_numbers(value, 3):
        return Bands(*map(float, value))
    if kind is list and _are_numbers(value, len(current)) and all(map(math.isfinite, value)):
        return [float(one) for one in value]
    if kind is deque and isinstance(part, Extreme) and _are_candidates(value, part.period):
        return deque((at, float(number)) for at, number in value)
    raise StateCorrupt(f"checkpoint: {where} cannot be what it says")


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(type(one) in {float, int} for one in value)


def _are_candidates(value: Any, most: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
        and all(type(at) is int and 0 <= at <= _MOST and type(number) in {float, int} for at, number in value)
    )
