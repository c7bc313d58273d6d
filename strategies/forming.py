"""The candle that is not closed yet, folded when somebody asks: a tick costs one append until then."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from bus.messages import Candle, PriceKind, Tick
from strategies.snapshot import Folded, FormingState

KEPT: Final = 1_024
"""Ticks kept before they are folded into one: bounds memory where the smallest timeframe is a day."""


class _Fold:
    """Open, high, low, close, volume and count of ticks; open and close by (ts, seq), not by arrival."""

    __slots__ = ("close", "close_key", "high", "low", "open", "open_key", "trades", "volume")

    def __init__(self) -> None:
        self.trades = 0
        self.volume = 0.0
        self.open = self.high = self.low = self.close = 0.0
        self.open_key = self.close_key = (0, 0)

    def add(self, tick: Tick, price: float) -> None:
        key = (tick.ts, tick.seq or 0)
        if not self.trades:
            self.open = self.high = self.low = self.close = price
            self.open_key = self.close_key = key
        elif key < self.open_key:
            self.open, self.open_key = price, key
        elif key >= self.close_key:
            self.close, self.close_key = price, key
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.volume += tick.size or 0.0
        self.trades += 1


class FormingTicks:
    """Ticks of one symbol since its smallest timeframe last closed."""

    __slots__ = ("_folds", "_ticks")

    def __init__(self) -> None:
        self._ticks: list[Tick] = []
        self._folds: dict[Literal["last", "bid", "ask", "mid"], _Fold] = {}

    def add(self, tick: Tick) -> None:
        """Take one tick."""
        self._ticks.append(tick)
        if len(self._ticks) >= KEPT:
            self._compact()

    def closed(self, close_time: int) -> None:
        """Forget what the candle that closed at ``close_time`` (exclusive) contains."""
        # With lateness allowed, ticks of the next candle arrive before this one closes: they stay.
        self._ticks = [tick for tick in self._ticks if tick.ts >= close_time]
        self._folds.clear()

    @property
    def first(self) -> int:
        """Time of the first tick that is kept as it came, 0 without any."""
        return self._ticks[0].ts if self._ticks else 0

    def fold(self, kind: PriceKind) -> _Fold | None:
        """Return the fold of the ticks' prices of one kind, None without any."""
        known = self._folds.get("last" if kind == "mark" else kind)
        fold = _Fold() if known is None else _copy(known)
        _add_all(fold, self._ticks, kind)
        return fold if fold.trades else None

    def state(self, symbol: str, following: int) -> FormingState:
        """Return what a checkpoint keeps: the ticks before the close at ``following`` as what they fold to.

        They are folded here as well, which changes nothing: they are forgotten together.
        """
        early = next((n for n, tick in enumerate(self._ticks) if tick.ts >= following), len(self._ticks))
        self._compact(early)
        folded = [_folded(kind, fold) for kind, fold in self._folds.items() if fold.trades]
        return FormingState(symbol, folded, list(self._ticks))

    def put_back(self, state: FormingState) -> None:
        """Go on where ``state`` was returned."""
        self._ticks = list(state.ticks)
        self._folds = {folded.kind: _unfolded(folded) for folded in state.folded}

    def _compact(self, count: int = KEPT) -> None:
        if not count:
            return
        for kind in _KINDS:
            _add_all(self._folds.setdefault(kind, _Fold()), self._ticks[:count], kind)
        del self._ticks[:count]


_KINDS: Final[tuple[Literal["last", "bid", "ask", "mid"], ...]] = ("last", "bid", "ask", "mid")


def _folded(kind: Literal["last", "bid", "ask", "mid"], fold: _Fold) -> Folded:
    numbers = (fold.trades, fold.volume, fold.open, fold.high, fold.low, fold.close)
    return Folded(kind, *numbers, fold.open_key, fold.close_key)


def _unfolded(folded: Folded) -> _Fold:
    fold = _Fold()
    for name in _Fold.__slots__:
        setattr(fold, name, getattr(folded, name))
    return fold


def _copy(fold: _Fold) -> _Fold:
    copy = _Fold()
    for name in _Fold.__slots__:
        setattr(copy, name, getattr(fold, name))
    return copy


def _add_all(fold: _Fold, ticks: list[Tick], kind: PriceKind) -> None:
    # A mark price comes as ``last`` on a stream of its own.
    field = "last" if kind == "mark" else kind
    for tick in ticks:
        price = getattr(tick, field)
        if price is not None:
            fold.add(tick, price)


def merge(last: Candle, span: int | None, rows: npt.NDArray[np.void], ticks: FormingTicks) -> Candle | None:
    """Return the candle after ``last``: the closed smaller candles ``rows`` since, then ``ticks``.

    ``span`` is the length of the timeframe in ns, None where it is a matter of calendars (1d and up):
    then ``close_time`` is 0, unknown here.
    """
    fold = ticks.fold(last.price_kind)
    latest = max(int(rows["open_time"][-1]) if len(rows) else 0, fold.close_key[0] if fold else 0)
    if not latest:
        return None
    start = last.close_time
    if span is not None and latest - start >= span:
        # Nothing closed meanwhile: no trades, or no session. Older rows belong to what never closed.
        start += (latest - start) // span * span
        rows = rows[rows["open_time"] >= start]
    opens, highs, lows, closes = [], [], [], []
    volume, trades, as_of = 0.0, 0, latest
    if len(rows):
        opens, highs = [float(rows["open"][0])], [float(rows["high"].max())]
        lows, closes = [float(rows["low"].min())], [float(rows["close"][-1])]
        volume, trades = float(rows["volume"].sum()), int(rows["trades"].sum())
        as_of = max(as_of, int(rows["close_time"][-1]))
    if fold is not None:
        opens, highs = [*opens, fold.open], [*highs, fold.high]
        lows, closes = [*lows, fold.low], [*closes, fold.close]
        volume += fold.trades if last.volume_kind == "tick" else fold.volume
        trades += fold.trades
    return msgspec.structs.replace(
        last,
        open_time=start,
        close_time=0 if span is None else start + span,
        open=opens[0],
        high=max(highs),
        low=min(lows),
        close=closes[-1],
        volume=volume,
        trades=trades,
        turnover=None,
        closed=False,
        partial=False,
        synthetic=False,
        quality="ok",
        backfilled=False,
        revision=0,
        as_of=as_of,
    )
