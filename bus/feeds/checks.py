"""The judgements on one reading against what is known: each raises ``FrameRefused`` with its numbers."""

from __future__ import annotations

from bus.feeds.errors import FrameRefused
from bus.feeds.readings import EARLIEST
from bus.feeds.track import Track
from bus.messages import Bar, Tick

MAX_TIMEFRAMES = 64
"""Timeframes in which one symbol may bring bars of its own."""


def check_price(symbol: str, tick: Tick) -> None:
    """Refuse a tick without any price."""
    if tick.last is None and tick.bid is None and tick.ask is None:
        raise FrameRefused("no_price", f"{symbol}: neither last, bid nor ask")


def check_time(name: str, ts: int, now: int, ahead: int) -> None:
    """Refuse a time in a wrong unit, and one more than ``ahead`` ns in the future of ``now``."""
    if ts < EARLIEST:
        raise FrameRefused("time", f"{name}: {ts} is no time in ns since 1970; is it in us, ms or s?")
    if ts > now + ahead:
        raise FrameRefused(
            "future",
            f"{name}: {ts} is {(ts - now) / 1e9:.3f} s ahead of the clock, allowed are {ahead / 1e9:g} s",
        )


def check_order(name: str, ts: int, newest: int, reorder: int) -> None:
    """Refuse a time more than ``reorder`` ns behind the newest of its kind."""
    if ts < newest - reorder:
        raise FrameRefused(
            "backwards",
            f"{name}: {ts} is {(newest - ts) / 1e9:.3f} s behind the newest, allowed are {reorder / 1e9:g} s",
        )


def check_bar(track: Track, bar: Bar) -> bool:
    """Refuse a bar that is no candle or older than the last; False if that one is closed already."""
    if bar.low > min(bar.open, bar.close) or bar.high < max(bar.open, bar.close):
        raise FrameRefused(
            "ohlc", f"{track.symbol}: open {bar.open} high {bar.high} low {bar.low} close {bar.close}"
        )
    before, closed = track.bars.get(bar.timeframe, (0, False))
    if bar.open_time < before:
        raise FrameRefused(
            "backwards", f"{track.symbol} {bar.timeframe}: open time {bar.open_time} after {before}"
        )
    if not before and len(track.bars) >= MAX_TIMEFRAMES:
        raise FrameRefused("too_many_symbols", f"{track.symbol}: more than {MAX_TIMEFRAMES} timeframes")
    return not (bar.open_time == before and closed)
