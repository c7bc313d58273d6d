"""The recording that code is tried on: a made-up market, as an engine would publish it. Pure.

It is long enough for the largest of the strategy's timeframes to close twice, and for the smallest to close
``CANDLES`` times, as far as ``MOST`` candles allow. It is the same for the same strategy, always.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from bus import synthetic, timeframes, topics
from bus.candles import SymbolCandles
from bus.messages import Candles, Tick, Ticks, encode
from bus.sessions import always
from bus.timeline import Closed

CANDLES: Final = 240
"""Closed candles of the smallest timeframe: more than the usual lookback of 200."""
MOST_CANDLES: Final = 2_000
"""The same, where a day of seconds would be 86,400."""
TICKS_A_CANDLE: Final = 4
MOST_TICKS: Final = 6_000
SYMBOLS: Final = 3
"""Symbols that are traded, the first ones; the others stay quiet."""
START: Final = 1_735_689_600 * 10**9
"""2025-01-01 00:00 UTC, where days, hours and minutes begin at once."""
RATE: Final = 6.0
"""Ticks a second of the generator, whose trends turn about every ten seconds; then time is stretched."""
EPOCH: Final = 1
Frame = tuple[bytes, bytes]
"""Topic and payload."""


def recording(symbols: Sequence[str], names: Sequence[str]) -> list[Frame]:
    """Return ticks and candles of ``names`` (timeframes) in the order in which an engine publishes them."""
    taken = [timeframes.parse(name) for name in names]
    books = {symbol: SymbolCandles(symbol, taken, always(), price="last") for symbol in symbols[:SYMBOLS]}
    numbers: Counter[bytes] = Counter()
    frames: list[Frame] = []
    for tick in _ticks(list(books), taken):
        book = books[tick.symbol]
        if tick.ts >= book.next_close:
            frames += _closed(tick.symbol, book.close_due(tick.ts, tick.ts, True), numbers)
        book.add(tick)
        topic = topics.tick(tick.symbol)
        numbers[topic] += 1
        frames.append((topic, encode(Ticks(EPOCH, numbers[topic], [tick]))))
    return frames


def _closed(symbol: str, closed: Sequence[Closed], numbers: Counter[bytes]) -> Iterator[Frame]:
    topic = topics.candle(symbol)
    for one in closed:
        if one.candles:
            numbers[topic] += 1
            yield topic, encode(Candles(EPOCH, numbers[topic], one.as_of, one.candles))


def _ticks(symbols: Sequence[str], taken: Sequence[timeframes.Timeframe]) -> Iterator[Tick]:
    """Yield ticks of the generator, their times stretched so that the candles close that are to close."""
    lengths = sorted(one.rank[0] for one in taken)
    span = min(max(CANDLES * lengths[0], 5 * lengths[-1] // 2), MOST_CANDLES * lengths[0])
    count = min(MOST_TICKS, TICKS_A_CANDLE * len(symbols) * span // lengths[0])
    stretch = span * RATE * len(symbols) / count / 10**9
    for tick in islice(synthetic.market(seed=1, start=START, rate=RATE, instruments=symbols), count):
        yield replace(tick, ts=START + round((tick.ts - START) * stretch))
