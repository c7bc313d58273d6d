"""Bars that a feed made itself: read against the calendar, and compared with our own candles (rule 9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from bus.messages import Bar, Candle
from bus.series import Series
from bus.sessions import SessionCalendar
from bus.timeframes import TimeframeError, nests, parse

Reason: TypeAlias = Literal["bar_forming", "bar_timeframe", "out_of_session", "bar_bounds"]
"""Why a bar is none of ours: not closed, no timeframe, outside every session, other boundaries."""


def read(bar: Bar | Candle, calendar: SessionCalendar) -> Candle | Reason:
    """Return a closed bar as a candle with both stamps; trades and turnover of a ``Bar`` are unknown."""
    if not bar.closed:
        return "bar_forming"
    try:
        timeframe = parse(bar.timeframe)
    except TimeframeError:
        return "bar_timeframe"
    bounds = calendar.bounds(timeframe, bar.open_time)
    if bounds is None:
        return "out_of_session"
    closes = bar.close_time if isinstance(bar, Candle) else bounds[1]
    if bounds != (bar.open_time, closes):
        return "bar_bounds"
    if isinstance(bar, Candle):
        return bar
    prices = (bar.open, bar.high, bar.low, bar.close)
    return Candle(bar.symbol, timeframe.id, *bounds, *prices, bar.volume)


def feeds(candle: Candle, roots: Iterable[Series]) -> bool:
    """Whether a bar is fine enough to make every candle of ours."""
    timeframe = parse(candle.timeframe)
    return all(nests(timeframe, root.timeframe) for root in roots)


def compare(candle: Candle, series: Iterable[Series]) -> Literal["bar_agrees", "bar_differs", "bar_unused"]:
    """Verify a feed's bar against the last closed candle of ours, if that has the same id."""
    ours = next((s.last for s in series if s.timeframe.id == candle.timeframe), None)
    if ours is None or ours.open_time != candle.open_time:
        return "bar_unused"
    agrees = _content(ours) == _content(candle)
    return "bar_agrees" if agrees else "bar_differs"


def _content(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume
