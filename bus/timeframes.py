r"""Timeframes: one grammar, one canonical id, one order (candles.md rule 1).

The grammar is ``^[1-9]\d*(s|m|h|d|w|M)$``. Seconds, minutes and hours are spans of elapsed time;
``d``, ``w`` and ``M`` are *trading* days, weeks and months, whose length only a calendar knows
(``bus/sessions.py``). So ``24h`` is not ``1d`` and ``7d`` is not ``1w``: they keep their names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct

Unit: TypeAlias = Literal["s", "m", "h", "d", "w", "M"]

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ALLOWED = "a whole number from 1 and one of s, m, h, d, w, M, up to 24h, 366d, 53w or 12M"

_GRAMMAR = re.compile(r"([1-9][0-9]*)(s|m|h|d|w|M)")
_UNITS: tuple[Unit, ...] = ("s", "m", "h", "d", "w", "M")
_SPANS: dict[str, int] = {"s": SECOND, "m": MINUTE, "h": HOUR}
# Only for the order: a month counts as 30 days, so 4w < 1M < 5w.
_NOMINAL: dict[str, int] = {**_SPANS, "d": DAY, "w": 7 * DAY, "M": 30 * DAY}
# Hours restart each day and the others each year (rule 2): a longer candle would be cut there, always.
_LONGEST: dict[Unit, int] = {"s": 86_400, "m": 1440, "h": 24, "d": 366, "w": 53, "M": 12}


class TimeframeError(ValueError):
    """A text is no timeframe; the message is one line naming it and what is allowed."""


class Timeframe(Struct, frozen=True, order=True):
    """One timeframe; compare two to sort them ascending (``24h`` before ``1d``, ``7d`` before ``1w``).

    ``rank`` is what orders them: nominal length in ns, then the unit. ``span`` is the length in ns for
    s, m and h, and None for d, w and M.
    """

    rank: tuple[int, int]
    id: str
    unit: Unit
    count: int
    span: int | None

    def __str__(self) -> str:
        return self.id


@lru_cache(maxsize=1024)
def parse(text: str) -> Timeframe:
    """Return the timeframe that ``text`` names, canonical: ``60m`` gives ``1h``, ``90m`` stays.

    Raises ``TimeframeError``, also for what is longer than the day or year in which it restarts: such
    a candle could never have the length of its name, and whoever writes ``48h`` wants ``2d``.
    """
    match = _GRAMMAR.fullmatch(text) if len(text) <= 16 else None  # no number so long is in range
    if match is None:
        raise TimeframeError(f"timeframe {text[:32]!r}: allowed is {ALLOWED}")
    count, unit = _canonical(int(match[1]), match[2])
    if count > _LONGEST[unit]:
        raise TimeframeError(f"timeframe {text!r} is too long: allowed is {ALLOWED}")
    span = _SPANS[unit] * count if unit in _SPANS else None
    return Timeframe((_NOMINAL[unit] * count, _UNITS.index(unit)), f"{count}{unit}", unit, count, span)


def _canonical(count: int, unit: str) -> tuple[int, Unit]:
    """Carry whole seconds into minutes and whole minutes into hours; days are another thing."""
    position = next(i for i, name in enumerate(_UNITS) if name == unit)
    while position < 2 and count % 60 == 0:
        count //= 60
        position += 1
    return count, _UNITS[position]


def nests(lower: Timeframe, higher: Timeframe) -> bool:
    """Whether every candle of ``higher`` is a whole number of candles of ``lower``, on any calendar.

    Spans nest when one divides the other, because both restart at the same anchor and are cut at the
    same close. Every span nests in trading days, and a trading day in everything longer. Weeks do not
    nest in months, nor two days in a week.
    """
    if lower.span is not None:
        return higher.span is None or higher.span % lower.span == 0
    if lower.unit == "d" and lower.count == 1:
        return higher.span is None
    return lower.unit == higher.unit and higher.count % lower.count == 0
