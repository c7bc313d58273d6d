"""One row of a table to one message, refusing what cannot be one.

A crossed quote (bid above ask) is passed on: 4,987 of the 58,143 FXCM ticks of one day are, its vendor's own
bars are made with them, and what to think of one is for the reader of the feed to decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from bus.messages import Bar, Tick
from bus.recordings.columns import Layout, Role
from bus.recordings.report import Cell, RecordingError, RowRefused
from bus.recordings.times import SECOND, TimeReader
from bus.topics import SYMBOL_ALLOWED, is_symbol

MAX_PRICE = 1e15  # as bus.messages.Price
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 31 * 86_400}
_OHLC: tuple[Role, ...] = ("open", "high", "low", "close")
_TIMEFRAME = re.compile(r"([1-9]\d{0,4})([smhdwM])")


def price(cell: Cell) -> float:
    """Return a price: finite and above zero."""
    value = _number(cell)
    if not 0 < value <= MAX_PRICE:
        raise RowRefused("bad price", f"{cell!r} is not above 0 and finite")
    return value


def size(cell: Cell) -> float:
    """Return a size: finite and not below zero."""
    value = _number(cell)
    if not 0 <= value <= MAX_PRICE:
        raise RowRefused("bad size", f"{cell!r} is not at least 0 and finite")
    return value


def _number(cell: Cell) -> float:
    if cell is None or cell == "":
        raise RowRefused("empty cell")
    try:
        return float(cell)
    except ValueError:
        raise RowRefused("not a number", f"{cell!r}") from None


@lru_cache(maxsize=256)
def span(timeframe: str) -> int:
    """Return the length of a timeframe in ns; a month counts 31 days, good enough for pacing."""
    found = _TIMEFRAME.fullmatch(timeframe)
    if found is None:
        raise ValueError(f"timeframe: {timeframe!r} is not a number and one of s, m, h, d, w, M")
    return int(found[1]) * _UNIT_SECONDS[found[2]] * SECOND


def event_time(message: Tick | Bar) -> int:
    """Return when a message could be known: a tick at its time, a bar when it closed."""
    return message.ts if isinstance(message, Tick) else message.open_time + span(message.timeframe)


def infer_timeframe(times: Sequence[int]) -> str | None:
    """Return the timeframe that most steps between ``times`` (ns, ascending) have, or None if none does."""
    steps = Counter(later - earlier for earlier, later in pairwise(times) if later > earlier)
    if not steps:
        return None
    step, count = steps.most_common(1)[0]
    days = step // (86_400 * SECOND)
    if all(26 <= one // (86_400 * SECOND) <= 35 for one in steps):  # first or last trading days of months
        return "1M"
    if count * 3 < steps.total() or step % SECOND:
        return None
    if days and step % (86_400 * SECOND) == 0:
        return f"{days // 7}w" if days % 7 == 0 else f"{days}d"
    seconds = step // SECOND
    for unit in ("h", "m", "s"):
        if seconds % _UNIT_SECONDS[unit] == 0:
            return f"{seconds // _UNIT_SECONDS[unit]}{unit}"
    return None


def symbol_from_name(path: Path) -> str | None:
    """Return the symbol that a file is named after, or None where that would be a guess.

    ``GOOG.csv``, ``eurusd-2020-01.csv`` (TrueFX), ``DAT_ASCII_EURUSD_T_202001.csv`` (HistData),
    ``XRP_ETH-trades.json.gz`` (freqtrade: XRP/ETH).
    """
    stem = path.name.split(".")[0].rsplit("__", 1)[-1]
    if found := re.match(r"DAT_[A-Z]+_([A-Z]{6})_", stem):
        return found[1]
    if found := re.fullmatch(r"([A-Z0-9]+)_([A-Z0-9]+)(?:-trades|-\d+[mhd])?", stem):
        return f"{found[1]}/{found[2]}"
    if found := re.fullmatch(r"([A-Za-z][A-Za-z0-9]*)(?:-.*)?", stem):
        return found[1].upper()
    return None


class RowReader:
    """Turns the rows of one table into messages."""

    def __init__(self, layout: Layout, times: TimeReader, *, symbol: str | None) -> None:
        self._layout = layout
        self._times = times
        self._fixed = symbol
        self._known: set[str] = set()

    def when(self, row: Sequence[Cell]) -> int:
        """Return the time of a row, ns."""
        roles = self._layout.roles
        if "clock" not in roles:
            return self._times.read(row[roles["time"]])
        return self._times.read(f"{row[roles['time']]} {row[roles['clock']]}")

    def symbol(self, row: Sequence[Cell]) -> str:
        """Return the symbol of a row, checked."""
        name = self._fixed
        if name is None:
            name = str(row[self._layout.roles["symbol"]] or "").strip()
        if name not in self._known:
            if not is_symbol(name):
                raise RowRefused("bad symbol", f"{name[:64]!r}; allowed: {SYMBOL_ALLOWED}")
            self._known.add(name)
        return name

    def _optional(self, role: Role, read: Callable[[Cell], float], row: Sequence[Cell]) -> float | None:
        index = self._layout.roles.get(role)
        cell = None if index is None else row[index]
        return None if cell is None or cell == "" else read(cell)

    def tick(self, row: Sequence[Cell]) -> Tick:
        """Return a tick; ``RowRefused`` if it has no price at all or anything in it is wrong."""
        try:
            last = self._optional("price", price, row)
            bid, ask = self._optional("bid", price, row), self._optional("ask", price, row)
            if last is None and bid is None and ask is None:
                raise RowRefused("empty cell", "neither a price nor a quote")
            identifier = self._layout.roles.get("trade_id")
            trade_id = (
                None if identifier is None or row[identifier] in (None, "") else str(row[identifier])[:64]
            )
            return Tick(
                symbol=self.symbol(row),
                ts=self.when(row),
                last=last,
                size=self._optional("size", size, row) if last is not None else None,
                bid=bid,
                ask=ask,
                bid_size=self._optional("bid_size", size, row),
                ask_size=self._optional("ask_size", size, row),
                trade_id=trade_id,
            )
        except IndexError:
            raise RowRefused("missing columns", f"{len(row)} columns") from None

    def bar(self, row: Sequence[Cell], timeframe: str, *, shift: int = 0) -> Bar:
        """Return a closed candle; ``shift`` ns is taken off the time of rows labelled by their close."""
        roles = self._layout.roles
        try:
            first, high, low, last = (price(row[roles[role]]) for role in _OHLC)
            volume = self._optional("size", size, row) or 0.0
            opened, symbol = self.when(row) - shift, self.symbol(row)
        except IndexError:
            raise RowRefused("missing columns", f"{len(row)} columns") from None
        return checked(Bar(symbol, timeframe, opened, first, high, low, last, volume, closed=True))

    def one_price(self, row: Sequence[Cell]) -> Tick:
        """Return the tick in a row that is a candle of one price (backtrader's tick files)."""
        bar = self.bar(row, "1s")
        return Tick(symbol=bar.symbol, ts=bar.open_time, last=bar.close, size=bar.volume)


def checked(bar: Bar) -> Bar:
    """Refuse a candle whose high is not its highest or whose low is not its lowest."""
    if bar.high < max(bar.open, bar.close, bar.low) or bar.low > min(bar.open, bar.close):
        raise RowRefused("not a candle", f"open {bar.open} high {bar.high} low {bar.low} close {bar.close}")
    return bar


def choose(
    path: Path,
    reader: RowReader,
    layout: Layout,
    sample: Sequence[Sequence[Cell]],
    *,
    timeframe: str | None,
    label: str,
) -> Callable[[Sequence[Cell]], Tick | Bar]:
    """Return what turns a row into a message, having looked at the first rows; ``RecordingError`` if none.

    Candles need a timeframe, which the steps between the first rows tell unless it is given. Rows whose
    four prices are one and whose steps tell nothing are ticks.
    """
    if not layout.bars:
        return reader.tick
    if timeframe is not None:
        span(timeframe)  # a wrong one is told here, not row by row
    else:
        timeframe = _inferred(reader, sample)
    if timeframe is None:
        if all(_is_one_price(reader, row) for row in sample):
            return reader.one_price
        raise RecordingError(
            path, "open, high, low and close, but the times do not tell a timeframe; give one (--timeframe)"
        )
    if label == "open":
        return lambda row: reader.bar(row, timeframe)
    if timeframe[-1] in "dwM":
        raise RecordingError(
            path, f"{timeframe} candles cannot be labelled by their close: days differ in length"
        )
    return lambda row: reader.bar(row, timeframe, shift=span(timeframe))


def _inferred(reader: RowReader, sample: Sequence[Sequence[Cell]]) -> str | None:
    """Return the timeframe of the symbol that the first rows hold most of."""
    times: dict[str, list[int]] = {}
    for row in sample:
        try:
            times.setdefault(reader.symbol(row), []).append(reader.when(row))
        except (RowRefused, IndexError):
            continue
    return infer_timeframe(max(times.values(), key=len)) if times else None


def _is_one_price(reader: RowReader, row: Sequence[Cell]) -> bool:
    try:
        bar = reader.bar(row, "1s")
    except RowRefused:
        return True  # refused and counted later, whatever the file is
    return bar.open == bar.high == bar.low == bar.close
