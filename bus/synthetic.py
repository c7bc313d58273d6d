"""A seeded synthetic market: the same arguments always give the same ticks.

Made for the demo, for benchmarks and for tests that need hours of data in no time. It is not a model of
any real market: its only aims are prices that look like prices, and trends that turn often enough for
moving averages to cross within tens of seconds.

Rules of this file. No clock, no IO, no global random state: time comes from ``start``, chance from
``seed``. Every symbol has a generator of its own, seeded by its name, so that adding a symbol changes no
tick of the others.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from operator import attrgetter

from msgspec import Struct

from bus.messages import Tick

SECOND = 1_000_000_000


class Instrument(Struct, frozen=True):
    """One synthetic symbol.

    ``price`` is its first mid, ``tick_size`` the smallest step of a price. ``drift`` is what a trend
    moves the price in one second, as a fraction of it; ``noise`` the standard deviation of one second
    around that. ``trend`` bounds how many seconds a trend lasts before it turns, drawn evenly.
    """

    symbol: str
    price: float = 100.0
    tick_size: float = 0.01
    lot: float = 100.0
    drift: float = 5e-4
    noise: float = 2e-4
    trend: tuple[float, float] = (6.0, 14.0)


class Quiet(Struct, frozen=True):
    """A time in which one symbol (or every one, if ``symbol`` is None) neither trades nor quotes.

    ``begin`` and ``end`` are seconds since the start of the market; ``end`` is excluded.
    """

    begin: float
    end: float
    symbol: str | None = None


DEFAULT_INSTRUMENTS = (
    Instrument("EURUSD", price=1.085, tick_size=0.00001, lot=100_000.0),
    Instrument("BTC-USD", price=61_000.0, tick_size=0.01, lot=0.01),
    Instrument("RELIANCE", price=1_418.4, tick_size=0.05, lot=1.0),
    Instrument("SPY", price=510.0, tick_size=0.01, lot=100.0),
)
"""What the demo trades when it is given no data file."""


def market(
    *,
    seed: int,
    start: int,
    rate: float,
    instruments: Sequence[Instrument | str] = DEFAULT_INSTRUMENTS,
    quiet: Sequence[Quiet] = (),
) -> Iterator[Tick]:
    """Yield ticks of all instruments for ever, in time order.

    ``start`` is the time zero in ns since the epoch, ``rate`` the mean number of ticks a second **of
    each symbol** (arrivals are a Poisson process). A plain string among ``instruments`` is an
    ``Instrument`` with defaults. Every tick has a last price, a size, both quotes with sizes and a
    ``seq`` that counts from 1 per symbol without a gap. ``ValueError`` for a rate that is not positive
    or a symbol named twice.
    """
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"rate: {rate!r} is not a positive number of ticks a second")
    made = [Instrument(one) if isinstance(one, str) else one for one in instruments]
    names = [one.symbol for one in made]
    if len(set(names)) < len(names):
        raise ValueError(f"instruments: a symbol is named twice in {names}")
    # heapq.merge breaks ties by the order of the instruments, so the result is one fixed sequence.
    streams = [_ticks(one, random.Random(f"{seed}:{one.symbol}"), start, rate, quiet) for one in made]  # noqa: S311  # a market, not a secret
    return heapq.merge(*streams, key=attrgetter("ts"))


def _ticks(
    instrument: Instrument, rng: random.Random, start: int, rate: float, quiet: Sequence[Quiet]
) -> Iterator[Tick]:
    """Yield the ticks of one instrument: a geometric walk whose drift changes sign from trend to trend."""
    silences = [(one.begin, one.end) for one in quiet if one.symbol in (None, instrument.symbol)]
    step, anchor = instrument.tick_size, math.log(instrument.price)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + 1
    log_price, elapsed, seq = anchor, 0.0, 0
    direction = 1.0 if rng.random() < 0.5 else -1.0
    turn = rng.uniform(*instrument.trend)
    while True:
        gap = rng.expovariate(rate)
        elapsed += gap
        if elapsed >= turn:
            # Far from where it began, the market turns back: a walk left alone would leave the range
            # in which the tick size makes sense.
            away = log_price - anchor
            direction = -math.copysign(1.0, away) if abs(away) > 0.05 else -direction
            turn = elapsed + rng.uniform(*instrument.trend)
        log_price += direction * instrument.drift * gap
        log_price += rng.gauss(0.0, 1.0) * instrument.noise * math.sqrt(gap)
        draws = rng.random(), rng.random(), rng.random(), rng.random(), rng.random()
        if any(begin <= elapsed < end for begin, end in silences):
            continue  # the price walks on unseen, and no sequence number is used up
        seq += 1
        ts = start + round(elapsed * SECOND)
        yield _quote(instrument, ts, math.exp(log_price), decimals, draws, seq=seq)


def _quote(
    instrument: Instrument,
    ts: int,
    mid: float,
    decimals: int,
    draws: tuple[float, float, float, float, float],
    *,
    seq: int,
) -> Tick:
    """Put a spread of one to three price steps round ``mid``, and a trade on one of its sides."""
    step, lot = instrument.tick_size, instrument.lot
    width = 1 + int(draws[0] * 3)
    below = max(1, round(mid / step) - (width + 1) // 2)
    bid, ask = round(below * step, decimals), round((below + width) * step, decimals)
    return Tick(
        symbol=instrument.symbol,
        ts=ts,
        last=ask if draws[1] < 0.5 else bid,
        size=_lots(draws[2], lot),
        bid=bid,
        ask=ask,
        bid_size=_lots(draws[3], lot),
        ask_size=_lots(draws[4], lot),
        seq=seq,
    )


def _lots(draw: float, lot: float) -> float:
    """Return a size: mostly one lot, rarely many (a power law, as trade sizes roughly are)."""
    return round(lot * min(50, int(1 / (1.0 - draw))), 8)
