"""Where the demo's ticks come from: a seeded synthetic market, or the first part of a recording."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bus.messages import Tick
from bus.recordings import Message, ReadOptions, open_recordings
from bus.synthetic import DEFAULT_INSTRUMENTS, market
from cli.errors import FAILED, CommandError

SECOND = 1_000_000_000
RATE = 20.0
"""Ticks a second of each symbol."""
SEED = 20261120
SPEED = 4.0
"""Market seconds in one of the wall clock: enough candles for averages to cross in half a minute."""
PAST = 2 * 3600 * SECOND
"""Played at another speed than its own, a market can only be a recording: of two hours ago."""
LOOK = 2000
"""Ticks of a recording that are read to learn its symbols and how dense it is."""


@dataclass(frozen=True)
class Source:
    """A market for ``seconds`` of the wall clock; ``unit`` scales the timeframes of the strategies."""

    name: str
    symbols: tuple[str, ...]
    seconds: float
    speed: float = 1.0
    unit: str = "s"
    path: Path | None = None

    def messages(self) -> Iterator[tuple[int, Message]]:
        """Yield (event time, message); a synthetic market plays in the past, as a recording does."""
        if self.path is None:
            start = time.time_ns() - PAST
            end = start + int(self.seconds * self.speed * SECOND)
            rate = RATE / self.speed
            ticks = market(seed=SEED, start=start, rate=rate, instruments=DEFAULT_INSTRUMENTS)
            yield from ((tick.ts, tick) for tick in itertools.takewhile(lambda tick: tick.ts < end, ticks))
            return
        with open_recordings([self.path], ReadOptions()) as recording:
            first, span = None, int(self.seconds * self.speed * SECOND)
            for ts, message in recording:
                first = ts if first is None else first
                if ts - first > span:
                    return
                yield ts, message


def synthetic(seconds: float) -> Source:
    """A market of four symbols that never was."""
    symbols = tuple(instrument.symbol for instrument in DEFAULT_INSTRUMENTS)
    return Source("a synthetic market", symbols, seconds, speed=SPEED)


def recorded(path: Path, seconds: float) -> Source:
    """The beginning of a recording of ticks, so fast that about ``RATE`` come in a second."""
    with open_recordings([path], ReadOptions()) as recording:
        if not recording.ticks_only:
            raise CommandError(
                FAILED, f"{path}: the demo needs a recording of ticks, this holds bars or frames"
            )
        head = [message for _, message in itertools.islice(recording, LOOK)]
    ticks = [message for message in head if isinstance(message, Tick)]
    if len(ticks) < LOOK:
        raise CommandError(FAILED, f"{path}: holds {len(ticks)} ticks, the demo needs at least {LOOK}")
    span = (ticks[-1].ts - ticks[0].ts) / SECOND
    symbols = tuple(dict.fromkeys(tick.symbol for tick in ticks))
    speed = max(1.0, min(3600.0, RATE * len(symbols) * span / LOOK))
    return Source(path.name, symbols, seconds, speed=speed, unit="m" if speed > 10 else "s", path=path)
