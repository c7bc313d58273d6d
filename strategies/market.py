"""The market side of a host: ticks and candles into the view, then the callbacks, in the one right order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bus.messages import Candle, Candles, Signal, Ticks
from bus.timeframes import Timeframe, parse
from strategies.api import IStrategy
from strategies.books import Books
from strategies.boundary import Barrier
from strategies.calls import Calls
from strategies.context import Context
from strategies.data import MultiTimeframeData
from strategies.stamping import Cause, tick_key


class Market:
    """What one strategy is shown, and asked about it. ``ticks``, ``candles`` and ``withheld`` are counts."""

    def __init__(
        self, strategy: IStrategy, ctx: Context, calls: Calls, books: Books, data: MultiTimeframeData
    ) -> None:
        self.ticks = 0
        self.candles = 0
        self.withheld = 0
        """Candles that were not delivered: partial, incomplete, known already, or not subscribed."""
        self._strategy = strategy
        self._ctx = ctx
        self._calls = calls
        self._books = books
        self._data = data
        self._ranks: dict[str, Timeframe] = {name: parse(name) for name in data.timeframes}
        kind = type(strategy)
        self._wants_ticks = kind.on_tick is not IStrategy.on_tick
        # Its own state holds the candles before the checkpoint already, unless it has none of its own, or
        # says by its own on_warmup_candle what it makes of the past.
        self._saves = kind.save_state is not IStrategy.save_state
        self._counts_all = not self._saves or kind.on_warmup_candle is not IStrategy.on_warmup_candle
        self._missed: list[Candle] = []
        self.barrier = Barrier(data.symbols) if kind.on_boundary is not IStrategy.on_boundary else None

    def forward(self, ts: int) -> None:
        """Let event time be at least ``ts``; it never runs backwards."""
        self._books.now = self._data.as_of = max(self._books.now, ts)

    def on_ticks(self, event: Ticks) -> list[Signal]:
        """Show each tick and ask ``on_tick``, if the strategy has one."""
        data, books, ask, on_tick = self._data, self._books, self._calls.ask, self._strategy.on_tick
        signals: list[Signal] = []
        for tick in event.ticks:
            if tick.symbol not in data.symbols:
                continue
            self.ticks += 1
            now = books.now
            if tick.ts > now:
                books.now = now = tick.ts
            data.add_tick(tick)
            data.as_of = now
            if self._wants_ticks:
                cause = Cause("tick", tick_key(tick), tick.ts)
                signals += ask("on_tick", cause, on_tick, data)
        return signals

    def on_candles(self, event: Candles) -> list[Signal]:
        """Show what closed at one instant, all of it, then ask ``on_candle_complete`` of each."""
        self.forward(event.as_of)
        taken = self._take(event.candles)
        if self.barrier is not None:
            self.barrier.add(event.as_of, taken)
        signals: list[Signal] = []
        for candle in taken:
            self._look(event.as_of, candle.symbol)
            if candle.quality != "ok":
                self.withheld += 1  # candles.md 6: told by on_feed_status, seen in history and quality
                continue
            cause = Cause(candle.timeframe, candle.close_time, candle.close_time)
            call = self._strategy.on_candle_complete
            signals += self._calls.ask(
                "on_candle_complete", cause, call, candle.timeframe, candle, self._data
            )
        return signals

    def on_boundaries(self) -> list[Signal]:
        """Ask ``on_boundary`` of what is complete or overdue by now, if the strategy has one."""
        if self.barrier is None:
            return []
        signals: list[Signal] = []
        for ts, closed in self.barrier.due(self._books.now):
            self._look(ts, self._data.symbol)
            call = self._strategy.on_boundary
            signals += self._calls.ask("on_boundary", Cause("bound", ts, ts), call, ts, closed, self._data)
        return signals

    def warm_up(
        self, candles: Sequence[Candle], saved: Mapping[str, int] | None = None, *, resumes: bool = False
    ) -> None:
        """Replay the past: one instant after the other over all symbols, to ``on_warmup_candle``.

        ``saved`` is what a checkpoint that was loaded had seen (``MultiTimeframeData.seen``): what closed
        up to there is not counted twice. What closed after it waits for ``catch_up``, or if it ``resumes``
        for the tape.
        """
        instants: dict[int, list[Candle]] = {}
        for candle in candles:
            last = None if saved is None else saved.get(f"{candle.symbol}|{candle.timeframe}")
            if last is not None and candle.close_time > last and (last or resumes):
                if not resumes:
                    self._missed.append(candle)
            else:
                instants.setdefault(candle.close_time, []).append(candle)
        for as_of, closed in sorted(instants.items()):
            self.forward(as_of)
            for candle in self._take(closed):
                if saved is not None and not self._counts_all:
                    continue
                self._look(as_of, candle.symbol)
                call = self._strategy.on_warmup_candle
                self._calls.tell("on_warmup_candle", call, candle.timeframe, candle, self._data)

    def catch_up(self) -> list[Signal]:
        """Ask about what closed while the strategy was not there; its signals count, if they come in time.

        One that was accepted before the crash has the same key now, and the gate answers ``duplicate``.
        """
        missed, self._missed = self._missed, []
        instants: dict[int, list[Candle]] = {}
        for candle in missed:
            instants.setdefault(candle.close_time, []).append(candle)
        signals: list[Signal] = []
        for as_of, closed in sorted(instants.items()):
            signals += self.on_candles(Candles(0, 0, as_of, closed))
        return signals

    def _take(self, candles: Sequence[Candle]) -> list[Candle]:
        """Put one instant's candles into the view before anybody looks; return them in calling order.

        Ascending timeframe, then symbol (candles.md 9). A partial candle is not delivered at all
        (candles.md 7), nor is one that is already known.
        """
        taken, feed = [], self._ctx.indicators.feed
        for candle in candles:
            if candle.partial or not candle.closed or not self._data.add_candle(candle):
                self.withheld += 1
                continue
            self.candles += 1
            feed(candle.symbol, candle.timeframe, candle.high, candle.low, candle.close)
            taken.append(candle)
        if len(taken) > 1:
            taken.sort(key=lambda candle: (self._ranks[candle.timeframe], candle.symbol))
        return taken

    def _look(self, as_of: int, symbol: str) -> None:
        self._data.as_of, self._data.symbol = as_of, symbol
