"""What a strategy sees of the market: closed candles as numpy arrays, and the last tick.

The rule of this file is visibility (candles.md 9): a candle is seen at time T if it is closed and its
close time is not after T. Histories are bounded and preallocated; what ``history`` returns is a
read-only view that stays as it was for as long as the author keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Candle, FeedStatus, Tick
from bus.timeframes import TimeframeError, parse
from strategies.config import CAPACITY
from strategies.errors import NoSuchHistory
from strategies.forming import FormingTicks, merge
from strategies.nearest import suggestion
from strategies.snapshot import FormingState, HostState

CANDLE_DTYPE: Final = np.dtype(
    [
        ("open_time", "i8"),
        ("close_time", "i8"),
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),
        ("trades", "i8"),
        ("turnover", "f8"),
        ("synthetic", "?"),
        ("incomplete", "?"),
    ]
)
"""One closed candle: times in ns UTC, ``turnover`` NaN where unknown."""

Quality: TypeAlias = Literal["ok", "synthetic", "incomplete", "missing"]
Candles: TypeAlias = npt.NDArray[np.void]
NOT_IN_CANDLES: Final = TICK_LATE | TICK_OUT_OF_SESSION


class Series:
    """The closed candles of one symbol and timeframe, oldest first, in a window over one array.

    The array holds twice the capacity. When it is full the newest half moves to a **new** array, once in
    ``capacity`` candles: views given out keep the old one, so they never change under their reader.
    """

    __slots__ = ("_end", "_rows", "_view", "capacity", "newest")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.newest: Candle | None = None
        self._end = 0
        self._allocate()

    def _allocate(self) -> None:
        self._rows: Candles = np.empty(2 * self.capacity, CANDLE_DTYPE)  # pages are touched as they fill
        self._view = self._rows.view()
        self._view.flags.writeable = False

    def append(self, candle: Candle) -> bool:
        """Add a candle after the newest; False (and nothing happens) for one that is not after it."""
        if self.newest is not None and candle.open_time <= self.newest.open_time:
            return False
        if self._end == len(self._rows):
            kept = self._rows[-self.capacity :]
            self._allocate()
            self._rows[: self.capacity] = kept
            self._end = self.capacity
        self._rows[self._end] = (
            candle.open_time,
            candle.close_time,
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
            candle.trades,
            np.nan if candle.turnover is None else candle.turnover,
            candle.synthetic,
            candle.quality != "ok",
        )
        self._end += 1
        self.newest = candle
        return True

    def window(self, count: int, as_of: int) -> Candles:
        """Return the last ``count`` candles closed at ``as_of``, fewer where there are fewer."""
        end = self._end
        if self.newest is not None and self.newest.close_time > as_of:
            # Another symbol's boundary came first: rare, so a search is cheap enough.
            end = int(np.searchsorted(self._view["close_time"][:end], as_of, side="right"))
        oldest = max(0, self._end - self.capacity)
        return self._view[max(oldest, end - count) : end]

    def last(self, as_of: int) -> Candle | None:
        """Return the newest candle closed at ``as_of``."""
        newest = self.newest
        if newest is None or newest.close_time <= as_of:
            return newest
        rows = self.window(1, as_of)
        return None if len(rows) == 0 else self._candle(rows[0], newest)

    @staticmethod
    def _candle(row: np.void, like: Candle) -> Candle:
        turnover = float(row["turnover"])
        return msgspec.structs.replace(
            like,
            open_time=int(row["open_time"]),
            close_time=int(row["close_time"]),
            open=float(row["open"]),
            high=float(row["high"]),
            low=float(row["low"]),
            close=float(row["close"]),
            volume=float(row["volume"]),
            trades=int(row["trades"]),
            turnover=None if np.isnan(turnover) else turnover,
            synthetic=bool(row["synthetic"]),
            quality="incomplete" if row["incomplete"] else "ok",
        )


class MultiTimeframeData:
    """The market at one instant, over every subscribed symbol and timeframe.

    ``as_of`` (ns UTC) is that instant, ``symbol`` whose event this is, ``tick`` the last tick of that
    symbol. One object serves every callback: read it there, do not keep it. Arrays may be kept.
    """

    __slots__ = (
        "_forming",
        "_series",
        "_stale",
        "_ticks",
        "as_of",
        "capacity",
        "symbol",
        "symbols",
        "timeframes",
    )

    def __init__(self, symbols: Iterable[str], timeframes: Iterable[str], capacity: int = CAPACITY) -> None:
        self.symbols = tuple(symbols)
        self.timeframes = tuple(parse(name).id for name in sorted(timeframes, key=parse))
        self.capacity = capacity
        self.as_of = 0
        self.symbol = self.symbols[0] if self.symbols else ""
        self._series = {(s, t): Series(capacity) for s in self.symbols for t in self.timeframes}
        self._ticks: dict[str, Tick] = {}
        self._forming = {symbol: FormingTicks() for symbol in self.symbols}
        self._stale: dict[str, set[str]] = {symbol: set() for symbol in self.symbols}

    # ---- what authors read ------------------------------------------------------------------------
    @property
    def tick(self) -> Tick | None:
        """The last tick of ``symbol``, None before the first."""
        return self._ticks.get(self.symbol)

    def history(self, tf: str, n: int, symbol: str | None = None) -> Candles:
        """Return the last ``n`` closed candles, oldest first: ``history("1h", 20)["close"][-1]``.

        A read-only structured array (``CANDLE_DTYPE``), shorter while fewer have closed. Asking for more
        than are kept raises ``NoSuchHistory`` at once, not after days of warming up.
        """
        series = self._find(tf, symbol)
        if not 1 <= n <= series.capacity:
            raise NoSuchHistory(f"history of {n!r} candles: 1 to {series.capacity} are kept a timeframe")
        return series.window(n, self.as_of)

    def last(self, tf: str, symbol: str | None = None) -> Candle | None:
        """Return the newest closed candle, None before the first."""
        return self._find(tf, symbol).last(self.as_of)

    def forming(self, tf: str, symbol: str | None = None) -> Candle | None:
        """Return the candle being formed, ``closed=False``, or None while unknown; never part of ``history``.

        The fold of the smallest timeframe's candles and of the ticks since. Exact, but where the cell was
        so far behind that ticks were conflated (then high, low and volume may be too small), and across a
        break of the session (then ``open_time`` is that of the previous candle's grid). None until one
        candle of ``tf`` has closed: before that nobody here knows where it began.
        """
        key = symbol or self.symbol
        last = self._find(tf, key).last(self.as_of)
        if last is None:
            return None
        finest = self._series[key, self.timeframes[0]]
        rows = finest.window(finest.capacity, self.as_of)
        rows = rows[int(np.searchsorted(rows["open_time"], last.close_time)) :]
        return merge(last, parse(tf).span, rows, self._forming[key])

    def is_stale(self, symbol: str | None = None) -> bool:
        """Whether the feed of ``symbol`` is silent, broken or has a gap."""
        key = symbol or self.symbol
        if key not in self._stale:
            raise NoSuchHistory(f"symbol {key!r} is not subscribed{suggestion(key, self.symbols)}")
        return bool(self._stale[key])

    def quality(self, tf: str, symbol: str | None = None) -> Quality:
        """Return how far the newest closed candle can be trusted, the worst that holds of it."""
        candle = self.last(tf, symbol)
        if candle is None:
            return "missing"
        return "incomplete" if candle.quality != "ok" else "synthetic" if candle.synthetic else "ok"

    def price(self, symbol: str | None = None) -> float | None:
        """Return the last price known of ``symbol``: that of its tick, or a closed candle's after it."""
        key = symbol or self.symbol
        tick = self._ticks.get(key)
        candle = self._series[key, self.timeframes[0]].last(self.as_of) if self.timeframes else None
        if tick is not None and tick.price is not None and (candle is None or tick.ts >= candle.close_time):
            return tick.price
        return candle.close if candle is not None else None if tick is None else tick.price

    # ---- what the host writes ---------------------------------------------------------------------
    def add_tick(self, tick: Tick) -> None:
        """Take the next tick of a subscribed symbol; the snapshot is now this symbol's."""
        self.symbol = symbol = tick.symbol
        self._ticks[symbol] = tick
        if not tick.flags & NOT_IN_CANDLES:
            self._forming[symbol].add(tick)

    def add_candle(self, candle: Candle) -> bool:
        """Take the next closed candle; False for one that is already known, or of another subscription."""
        series = self._series.get((candle.symbol, candle.timeframe))
        if series is None or not series.append(candle):
            return False
        if candle.timeframe == self.timeframes[0]:
            self._forming[candle.symbol].closed(candle.close_time)
        return True

    def has(self, symbol: str, timeframe: str) -> bool:
        """Whether there is such a series."""
        return (symbol, timeframe) in self._series

    def newest(self) -> list[Candle]:
        """Return the newest candle of each series that has one."""
        return [series.newest for series in self._series.values() if series.newest is not None]

    def seen(self) -> dict[str, int]:
        """Return the close time of the newest candle of each series by ``symbol|timeframe``, 0 for none."""
        none = dict.fromkeys((f"{symbol}|{timeframe}" for symbol, timeframe in self._series), 0)
        return none | {f"{one.symbol}|{one.timeframe}": one.close_time for one in self.newest()}

    def ticks(self) -> list[Tick]:
        """Return the last tick of each symbol that has one."""
        return list(self._ticks.values())

    def forming_states(self) -> list[FormingState]:
        """Return what a checkpoint keeps of the forming candles."""
        states = (forming.state(symbol, self._following(symbol)) for symbol, forming in self._forming.items())
        return [state for state in states if state.folded or state.ticks]

    def _following(self, symbol: str) -> int:
        """Return when the candle of the oldest tick of the smallest timeframe closes, far off if unknown."""
        span = parse(self.timeframes[0]).span if self.timeframes else None
        first = self._forming[symbol].first
        newest = self._series[symbol, self.timeframes[0]].newest if span else None
        if span is None or newest is None:
            return 2**63 - 1
        start = newest.close_time
        return start + max(0, (first - start) // span) * span + span

    def stale(self) -> dict[str, list[str]]:
        """Return the feeds of each symbol that are not healthy."""
        return {symbol: sorted(feeds) for symbol, feeds in self._stale.items() if feeds}

    def put_back(self, state: HostState) -> None:
        """Go on where a checkpoint was taken, but for the histories, which the warm-up filled."""
        for candle in state.newest:
            self.add_candle(candle)
        self._ticks.update((tick.symbol, tick) for tick in state.ticks if tick.symbol in self._forming)
        for forming in state.forming:
            if forming.symbol in self._forming:
                self._forming[forming.symbol].put_back(forming)
        for symbol, feeds in state.stale.items():
            if symbol in self._stale:
                self._stale[symbol] = set(feeds)
        self.as_of = state.as_of
        self.symbol = state.symbol if state.symbol in self._forming else self.symbol

    def add_status(self, status: FeedStatus) -> None:
        """Take a change of a feed's health; no symbols named means all."""
        for symbol in status.symbols or self.symbols:
            feeds = self._stale.get(symbol)
            if feeds is None:
                continue
            if status.state == "healthy":
                feeds.discard(status.feed)
            else:
                feeds.add(status.feed)

    def canonical(self, timeframe: str) -> str:
        """Return the one id of a timeframe: ``60m`` is ``1h``."""
        return timeframe if timeframe in self.timeframes else parse(timeframe).id

    def _find(self, timeframe: str, symbol: str | None) -> Series:
        key = symbol or self.symbol
        series = self._series.get((key, timeframe))
        if series is None and key in self._stale:
            try:
                series = self._series.get((key, parse(timeframe).id))  # 60m is 1h
            except TimeframeError as error:
                raise NoSuchHistory(str(error)) from None
        if series is None:
            what, known = (
                ("symbol", self.symbols) if key not in self._stale else ("timeframe", self.timeframes)
            )
            name = key if what == "symbol" else timeframe
            raise NoSuchHistory(f"{what} {name!r} is not subscribed{suggestion(name, known)}")
        return series


MarketView: TypeAlias = MultiTimeframeData
