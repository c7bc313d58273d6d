"""How the engine drives ``SymbolCandles``, in a few lines: shared by the tests of candles."""

from __future__ import annotations

from bus.candles import BAR_GRACE, SymbolCandles
from bus.messages import Candle, Tick
from bus.sessions import always
from bus.timeframes import MINUTE, SECOND, parse
from bus.timeline import Closed

UTC = always()
T0 = 1_704_103_200 * SECOND
"""2024-01-01 10:00:00 UTC, a Monday: an anchor of every intraday timeframe up to 10h but 7m and 45m."""


def builder(timeframes, calendar=UTC, *, since=0, symbol="X", **options) -> SymbolCandles:
    """Candles of the named timeframes (``"1m 5m"``) that have seen everything from ``since`` on."""
    made = SymbolCandles(symbol, [parse(name) for name in timeframes.split()], calendar, **options)
    if since is not None:
        made.start(since)
    return made


def tick(seconds, price, size=1.0, *, seq=None, base=T0, **fields) -> Tick:
    """A trade ``seconds`` after ``base``."""
    return Tick("X", base + round(seconds * 1000) * (SECOND // 1000), price, size, seq=seq, **fields)


def replay(candles, ticks, end=None) -> list[Closed]:
    """Feed ticks as the engine does, closes first; then let the watermark reach ``end``."""
    groups: list[Closed] = []
    watermark = 0
    for one in ticks:
        watermark = max(watermark, one.ts)
        if watermark >= candles.next_close:
            groups += candles.close_due(watermark, watermark)
        candles.add(one)
    if end is not None:
        groups += candles.close_due(end, end)
    return groups


def replay_bars(candles, bars, end=None) -> list[Closed]:
    """Feed closed bars as the engine does: folded, then the watermark is their close."""
    groups: list[Closed] = []
    for bar in bars:
        opens = bar.open_time
        groups += candles.close_due(opens, opens)
        assert candles.add_bar(bar) == 0
    if end is not None:
        groups += candles.close_due(end, end + BAR_GRACE)  # the timer waits so long for the last bar
    return groups


def delivered(groups, timeframe) -> list[Candle]:
    """The candles of one timeframe that strategies see."""
    return [c for group in groups for c in group.candles if c.timeframe == timeframe]


def withheld(groups, timeframe) -> list[Candle]:
    """The candles of one timeframe that only histories see."""
    return [c for group in groups for c in group.withheld if c.timeframe == timeframe]


def ohlc(candle) -> tuple[float, float, float, float]:
    """Open, high, low, close."""
    return candle.open, candle.high, candle.low, candle.close


def minute(index) -> int:
    """The instant ``index`` minutes after ``T0``."""
    return T0 + index * MINUTE
