"""All candles of one symbol, from its ticks or from bars of its feed (candles.md, rules 3 to 9).

Pure: no clock. ``wall`` is an argument, and in a replay it is event time, so live and replay run the
same code. The engine asks in this order, for each tick: ``close_due`` if ``tick.ts >= next_close``,
publish the tick, ``add``; and ``close_due`` again when the wall clock reaches ``next_wall`` or a
heartbeat moves the watermark. For a bar it is ``add_bar`` and then ``close_due``. Every candle id is
closed once, and the groups that ``close_due`` returns never go back in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Literal

from bus.bars import compare, feeds, read
from bus.captured import BookState
from bus.folding import COMPACT_AT, Accumulator, Stream, finish
from bus.joining import extend, history, seed
from bus.messages import (
    TICK_LATE,
    TICK_OUT_OF_SESSION,
    TICK_VOLUME_UNKNOWN,
    Bar,
    Candle,
    PriceKind,
    Tick,
    VolumeKind,
)
from bus.outages import Backfill
from bus.series import FAR
from bus.sessions import SessionCalendar, Span
from bus.timeframes import SECOND, Timeframe
from bus.timeline import Closed, Synthetic, Timeline

MAX_NUMBER = 1e15
"""Largest price and size, as in ``bus.messages``; NaN and infinity fail the same comparison."""

BAR_GRACE = 5 * SECOND
"""How long the timer waits for a feed's own bar, which is sent only after its interval is over."""

CORRECTIONS_KEPT = 10_000


class SymbolCandles:
    """Every timeframe of one symbol, folded from one stream.

    ``next_close`` is the earliest watermark at which something may have to close: ``lateness`` ns after
    the end of a candle. ``counts`` holds what was not folded, by reason. ``volume_kind`` ``cumulative`` is
    a label here: ``Tick.size`` is already the difference of the day counter (bus/intake.py); with ``tick``
    the volume is the number of ticks.
    """

    __slots__ = (
        "_bar_timeframe", "_by_last", "_calendar", "_covered_to", "_grace", "_hot", "_hot_from", "_hot_to",
        "_since", "_sized", "_source", "_timeline", "_to_correct", "bars_to", "counts", "lateness",
        "next_close", "price_kind",
    )  # fmt: skip

    def __init__(
        self,
        symbol: str,
        timeframes: Sequence[Timeframe],
        calendar: SessionCalendar,
        *,
        price: PriceKind = "last",
        volume_kind: VolumeKind = "trade",
        lateness_ns: int = 0,
        grace_ns: int = 250_000_000,
        synthetic: Synthetic = "deliver",
    ) -> None:
        self.counts: dict[str, int] = {"late": 0, "out_of_session": 0}
        self.next_close = FAR
        self._timeline = Timeline(Stream(symbol, price, volume_kind), timeframes, calendar, synthetic)
        self._calendar = calendar
        self.price_kind = price
        self._by_last = price in {"last", "mark"}
        self._sized = volume_kind != "tick"
        self.lateness = lateness_ns
        # A grace below the lateness would let the timer take back what the lateness allows.
        self._grace = max(grace_ns, lateness_ns)
        self._to_correct: deque[Tick | Bar | Candle] = deque(maxlen=CORRECTIONS_KEPT)
        self._source: Literal["none", "ticks", "bars"] = "none"
        self._bar_timeframe = ""
        self._since: int | None = None
        self._covered_to = 0
        self.bars_to = 0
        """End of the last bar of the feed's own that was folded in, event time; 0 before the first."""
        # The roots' accumulators that took the last tick, and the stretch in which they take the next.
        self._hot: list[Accumulator] = []
        self._hot_from = self._hot_to = 0

    # ---- what goes in -----------------------------------------------------------------------------
    def add(self, tick: Tick) -> int:
        """Fold a tick into the open candles; return 0, ``TICK_LATE`` or ``TICK_OUT_OF_SESSION``."""
        ts = tick.ts
        price = tick.last if self._by_last else _quote(tick, self.price_kind)
        size = tick.size if self._sized else 1.0  # a tick volume counts ticks
        if price is None or tick.flags or not self._hot_from <= ts < self._hot_to:
            return self._add_rare(tick, price, size)
        if size is None:
            size = self._unsized()
        if not 0.0 < price <= MAX_NUMBER or not 0.0 <= size <= MAX_NUMBER:
            return self._reject(price)
        seq = tick.seq or 0
        for hot in self._hot:
            if price > hot.high:
                hot.high = price
            elif price < hot.low:
                hot.low = price
            last_ts = hot.last_ts
            if ts > last_ts or (ts == last_ts and seq >= hot.last_seq):
                hot.last_ts = ts
                hot.last_seq = seq
                hot.close = price
            else:
                hot.put(ts, seq, price)
            terms = hot.terms
            terms.append(size)
            hot.values.append(price * size)
            if len(terms) > COMPACT_AT:
                hot.compact()
        return 0

    def add_bar(self, bar: Bar | Candle) -> int:
        """Fold a closed candle that the feed made itself; return 0 or a flag as ``add`` does.

        The first timeframe that fits feeds the roots; bars of others, and all bars once there were
        ticks, are only compared with our own closed candle (``bar_agrees``, ``bar_differs``).
        """
        line = self._timeline
        candle = read(bar, self._calendar)
        if not isinstance(candle, Candle):
            self._count(candle)
            return TICK_OUT_OF_SESSION if candle == "out_of_session" else 0
        ours = self._bar_timeframe in {"", candle.timeframe} and feeds(candle, line.roots)
        if self._source == "ticks" or not ours:
            return self._count(compare(candle, line.series))
        if candle.open_time < self.bars_to:
            return self._count("bar_duplicate")
        self._start(candle.open_time)
        if candle.open_time < line.closed_to:
            return self._late(candle)
        self._source, self._bar_timeframe, self.bars_to = "bars", candle.timeframe, candle.close_time
        for root in line.roots:
            root.holding(candle.open_time).fold(candle)
        return 0

    def start(self, since: int) -> None:
        """Say that every tick from event time ``since`` on is seen, so that its candle is whole.

        Without this word the stream counts from its first tick, and a candle that was open before is
        partial (rule 7).
        """
        self._since = since

    def seed(self, candles: Iterable[Candle], covers: Span | None = None) -> None:
        """Join history to the stream; only before the first tick or bar is added (rule 7).

        ``candles`` are closed ones of this symbol, of any timeframes, in any order. ``covers`` is the
        event time ``(from, to)`` for which they are complete, by default from their first open to
        their last close. Ticks before its end are history's: they are counted as ``covered``.
        """
        if self._timeline.started:
            raise RuntimeError(f"{self._timeline.stream.symbol}: history comes before the first tick")
        past = history(candles, covers)
        since = past.ends if self._since is None else self._since
        at = self._calendar.next_open(max(past.ends, since))
        if past.candles and at is not None:
            self._covered_to = past.ends
            seed(self._timeline, past, at, since)
            self._follow()

    def extend(self, timeframes: Iterable[Timeframe], candles: Iterable[Candle], now: int) -> None:
        """Take more timeframes, ``now`` in event time (the watermark), while the stream runs.

        ``candles`` are closed ones as for ``seed``; without them the first new candles are partial.
        """
        extend(self._timeline, timeframes, history(candles), now)
        self._hot_from = self._hot_to = 0
        self._follow()

    # ---- what comes out ---------------------------------------------------------------------------
    def close_due(self, watermark: int, wall: int, healthy: bool = True) -> list[Closed]:
        """Close what is due and return it, one group an instant (rule 4).

        ``watermark`` is the largest event time of the feed, heartbeats included. ``wall`` is the wall
        clock; in a replay, the watermark again.
        """
        line = self._timeline
        if healthy == line.outage.going_on:
            (self.mark_healthy if healthy else self.mark_unhealthy)(watermark)
        if self._source == "bars":
            watermark = self.bars_to  # that of the feed is the open of its last bar, which is closed
        timer = wall - self._timer_grace()
        limit = max(watermark - self.lateness, timer) if healthy else watermark - self.lateness
        groups: list[Closed | None] = []
        while line.boundary <= limit or (line.boundary <= timer and line.session_end() <= timer):
            groups.append(line.close(limit))
        self._follow()
        return [group for group in groups if group is not None]

    def flush(self, ts: int) -> list[Closed]:
        """Close the whole trading day of ``ts``: its feed said at ``ts`` that the session is over.

        Also candles whose nominal end is later, as on a half day that the calendar does not know;
        nothing is made up for the rest of that day.
        """
        line = self._timeline
        day = self._calendar.day(ts) or self._calendar.day(ts - 1)
        end = ts if day is None else max(ts, day.close)
        groups: list[Closed | None] = []
        while line.boundary <= end:
            groups.append(line.close(end, quiet_from=ts))
        self._follow()
        return [group for group in groups if group is not None]

    def close_to(self, at: int) -> list[Closed]:
        """Close what ends by event time ``at``, whatever any clock says: it is known to have closed."""
        line = self._timeline
        groups: list[Closed | None] = []
        while line.boundary <= at:
            groups.append(line.close(at))
        self._follow()
        return [group for group in groups if group is not None]

    def opens(self, timeframe: str) -> int:
        """Open of the oldest candle of a timeframe that is not closed; far away before the first tick."""
        return next(s.current.open_time for s in self._timeline.series if s.timeframe.id == timeframe)

    @property
    def interrupted(self) -> bool:
        """Whether the feed is unhealthy now."""
        return self._timeline.outage.going_on

    @property
    def plain(self) -> bool:
        """Whether every interval now gives a candle for strategies, traded or not."""
        line = self._timeline
        open_ones = [a for series in line.series for a in (series.current, *series.ahead.values())]
        return line.synthetic == "deliver" and not any(a.tainted or a.partial for a in open_ones)

    @property
    def backfill(self) -> Backfill:
        """What unhealthy stretches of the feed left out, and the way for history to bring it."""
        return self._timeline.backfill

    @property
    def closed_to(self) -> int:
        """Event time before which a tick is late; 0 before the first tick."""
        return self._timeline.closed_to

    @property
    def next_wall(self) -> int | None:
        """The wall time at which the timer has something to close; None before the first tick."""
        line = self._timeline
        if line.boundary == FAR:
            return None
        return (line.session_end() if line.outage.going_on else line.boundary) + self._timer_grace()

    def forming(self, timeframe: Timeframe, as_of: int) -> Candle | None:
        """A copy of the open candle as of event time ``as_of``, or None while it is empty (rule 8)."""
        line = self._timeline
        series = next((s for s in line.series if s.timeframe == timeframe), None)
        content = series.content() if series is not None else None
        if content is None or content.empty:
            return None
        return finish(content, line.stream, timeframe.id, as_of)

    def corrections(self) -> list[Tick | Bar | Candle]:
        """Return and forget the late ticks and bars since the last call (rule 5)."""
        late = list(self._to_correct)
        self._to_correct.clear()
        return late

    # ---- the health of the feed (rule 6) ----------------------------------------------------------
    def mark_unhealthy(self, since: int) -> None:
        """Say that data may be missing from event time ``since`` on; closed candles stay as they are."""
        self._timeline.outage.begin(since)
        self._timeline.taint()

    def mark_healthy(self, until: int) -> None:
        """Say that from event time ``until`` on nothing is missing."""
        self._timeline.outage.end(until)

    # ---- over a restart --------------------------------------------------------------------------
    def capture(self) -> BookState:
        """Return all that decides what comes out from here on; late ticks for ``corrections`` do not."""
        stream = self._timeline.stream
        return BookState(
            stream.price_kind,
            stream.volume_kind,
            self._timeline.capture(),
            self._source,
            self._bar_timeframe,
            self._since,
            self._covered_to,
            self.bars_to,
            (self._hot_from, self._hot_to),
            self.counts.copy(),
        )

    def restore(self, state: BookState) -> None:
        """Go on from what was captured of this symbol, with its timeframes; before anything was added.

        ``ValueError``, and nothing is changed, if its prices or volumes are of another kind than those
        here, or its candles of another calendar.
        """
        line = self._timeline
        if (state.price_kind, state.volume_kind) != (line.stream.price_kind, line.stream.volume_kind):
            raise ValueError(
                f"candles of {state.price_kind} and {state.volume_kind} do not go on with "
                f"{line.stream.price_kind} and {line.stream.volume_kind}"
            )
        line.restore(state.line)
        self._source, self._bar_timeframe = state.source, state.bar_timeframe
        self._since, self._covered_to, self.bars_to = state.since, state.covered_to, state.bars_to
        self.counts = state.counts.copy()
        self._hot_from, self._hot_to = state.hot
        if self._hot_from < self._hot_to:
            self._hot = [root.holding(self._hot_from) for root in line.roots]
        self._follow()

    # ---- the rarer half of what goes in -----------------------------------------------------------
    def _add_rare(self, tick: Tick, price: float | None, size: float | None) -> int:
        """Whatever ``add`` does not do at once: find the candle, or say why there is none."""
        at = self._calendar.admit(tick.ts)
        if at is None:
            self._count("out_of_session")
            return TICK_OUT_OF_SESSION
        if price is None or not self._timeline.roots:
            return 0
        if not 0.0 < price <= MAX_NUMBER or not (size is None or 0.0 <= size <= MAX_NUMBER):
            return self._reject(price)
        if at < self._covered_to:
            return self._count("covered")
        self._start(at)
        if at < self._timeline.closed_to:
            return self._late(tick)
        if self._source == "bars":
            # Ticks are the finer truth: from here on bars are only compared.
            for series in self._timeline.series:
                series.current.partial = True
        self._source = "ticks"
        self._hot = [root.holding(at) for root in self._timeline.roots]
        # Never over a break, which a candle of a day or of joined sessions spans.
        opens, closes = self._calendar.segment(at) or (FAR, 0)
        self._hot_from = max(opens, *(hot.open_time for hot in self._hot))
        self._hot_to = min(closes, *(hot.close_time for hot in self._hot))
        sized = self._unsized() if size is None else size
        for hot in self._hot:
            hot.put(tick.ts, tick.seq or 0, price)
            hot.partial |= tick.flags & TICK_VOLUME_UNKNOWN != 0
            hot.terms.append(sized)
            hot.values.append(price * sized)
        return 0

    def _unsized(self) -> float:
        """The size of a tick without one; its candles have no turnover."""
        for hot in self._hot:
            hot.unsized = True
        return 0.0

    def _start(self, at: int) -> None:
        if not self._timeline.started:
            self._timeline.start(at, at if self._since is None else self._since)
            self._follow()

    def _follow(self) -> None:
        """After the timeline moved: where the next close is, and whether the hot candles still are."""
        line = self._timeline
        self.next_close = line.boundary if line.boundary == FAR else line.boundary + self.lateness
        if self._hot_from < line.closed_to:
            self._hot_from = self._hot_to = 0

    def _timer_grace(self) -> int:
        return max(self._grace, BAR_GRACE) if self._source == "bars" else self._grace

    def _late(self, what: Tick | Bar | Candle) -> int:
        self.counts["late"] += 1
        self._to_correct.append(what)
        return TICK_LATE

    def _reject(self, price: float) -> int:
        return self._count("size" if 0.0 < price <= MAX_NUMBER else "price")

    def _count(self, reason: str) -> int:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        return 0


def _quote(tick: Tick, kind: PriceKind) -> float | None:
    if kind == "bid":
        return tick.bid
    return tick.ask if kind == "ask" else tick.mid
