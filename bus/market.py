"""From accepted ticks to what is published: sequences, candles, batches. Pure: frames out, no socket.

One ``Stream`` a symbol. Within one turn of the engine's loop a stream collects its ticks; ``flush``
numbers them, hands out one frame, and only then folds them into candles, so that building candles never
delays a tick. The one exception is what makes candles consistent: a tick at or past the next boundary
first publishes what came before it and closes what is due, so no strategy sees a tick of the new candle
before the old candle (candles.md 9).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from bus import topics
from bus.agenda import NEVER, Agenda
from bus.candles import SymbolCandles
from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Bar, Candle, Candles, Tick, Ticks, encode
from bus.sessions import SessionCalendar
from bus.timeframes import Timeframe

HISTORY = 2000
"""Closed candles kept a symbol and timeframe, for warm-up."""
LEAP = 10_000
"""Candles of the smallest timeframe that one step of event time may pass over as a quiet market: 2.8 hours of
seconds, a week of minutes. Beyond, it is a hole: a recording with days missing, a symbol that was last traded
long ago. Made up candle by candle, twelve years of empty seconds would hold the engine for half an hour."""
RECORDED = 3600 * 1_000_000_000
"""Age in ns from which the events of a feed count as a recording."""
MARKS = 4096
MARK_EVERY = 10_000_000
"""Publication times remembered: one every 10 ms, for at least 40 s."""

Send = Callable[[bytes], object]


class FeedClock:
    """Event time of one feed: its watermark, moved on by the time that passed since it last advanced.

    For a live feed this is the wall clock less the feed's lag; for a recording it is the recording's
    own time. So the timers that close candles mean the same in both, and a feed that lags does not have
    its candles closed over its head.

    The age of data is another question: a signal expires by the wall clock on a live feed, but on a
    recording, played at any speed, by the time that passed since the engine published the data. A feed
    whose events are over ``RECORDED`` old is a recording.

    While ``held`` it stands still at the watermark: something is missing that may still come, and until it
    has, no timer closes a candle over it.
    """

    __slots__ = ("_advanced_at", "_marks", "agenda", "healthy", "held", "watermark")

    def __init__(self) -> None:
        self.watermark = 0
        self.healthy = True
        self.held = False
        self.agenda = Agenda()
        self._advanced_at = 0
        self._marks: deque[tuple[int, int]] = deque(maxlen=MARKS)

    def advance(self, event_time: int, monotonic: int) -> None:
        """Take note of the newest event time, in ns; an older one changes nothing."""
        if event_time > self.watermark:
            self.watermark = event_time
            self._advanced_at = monotonic
            marks = self._marks
            if marks and monotonic - marks[-1][1] < MARK_EVERY:
                marks[-1] = (event_time, marks[-1][1])
            else:
                marks.append((event_time, monotonic))

    def now(self, monotonic: int) -> int:
        """Event time at this monotonic instant, 0 before the first event."""
        if self.held or not self.watermark:
            return self.watermark
        return self.watermark + monotonic - self._advanced_at

    def release(self, monotonic: int) -> None:
        """Go on after ``held``, from the watermark: the time that was waited is not made up for."""
        if self.held:
            self.held = False
            self._advanced_at = max(self._advanced_at, monotonic)

    def judged_at(self, event_time: int, monotonic: int, wall: int) -> int:
        """Return the time at which to judge a signal based on data of ``event_time``, in event time."""
        if wall - self.watermark < RECORDED:
            return wall
        marks = self._marks
        # The first mark that reached the data is when it was published, to 10 ms.
        at = bisect_left(marks, (event_time, 0))
        seen = marks[at][1] if at < len(marks) else monotonic
        return event_time + monotonic - seen


class Source(Protocol):
    """What brings ticks: a feed, which knows its clock and how candles of its symbols are built."""

    clock: FeedClock
    calendar: SessionCalendar

    def candles(self, symbol: str, timeframes: Sequence[Timeframe], sample: Tick | Bar) -> SymbolCandles:
        """Build the candles of one symbol from now on; ``sample`` is the first that was heard of it."""
        ...


class Stream:
    """One symbol: its two topics, its candles, its history, and the ticks of this turn.

    ``source`` is None until the first tick tells which feed brings the symbol; candles start then.
    ``book`` is None until somebody asked for a timeframe.
    """

    __slots__ = (
        "_leap", "_reached", "_sample", "asked", "book", "candle_seq", "candle_topic", "clock", "history",
        "next_close", "open_from", "open_to", "pending", "published", "source", "symbol", "tick_seq",
        "tick_topic", "wanted",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.source: Source | None = None
        self.clock = FeedClock()
        self.asked: dict[str, Timeframe] = {}
        self.tick_topic = topics.tick(symbol)
        self.candle_topic = topics.candle(symbol)
        self.tick_seq = 0
        self.candle_seq = 0
        self.published = 0
        self.wanted = 0
        self.pending: list[Tick] = []
        self.history: dict[str, deque[Candle]] = {}
        self.next_close = NEVER
        # Where no tick needs a second look: in a session, and in no candle that is closed.
        self.open_from = 0
        self.open_to = 0
        self.book: SymbolCandles | None = None
        self._sample: Tick | Bar | None = None
        self._reached = 0
        self._leap = NEVER

    def adopt(self, source: Source, sample: Tick | Bar, clock: FeedClock | None = None) -> None:
        """Take note of the feed that brings this symbol, and start what was asked for before.

        It goes by the feed's clock, unless another one is given.
        """
        self.source, self._sample = source, sample
        self.follow(clock or source.clock)
        self.build()

    def follow(self, clock: FeedClock) -> None:
        """Go by ``clock`` from now on."""
        self.clock.agenda.drop(self.symbol)
        self.clock = clock
        clock.agenda.note(self)

    def build(self) -> None:
        """Start the timeframes that were asked for and are not built yet.

        Later ones join the candles that run, from their history, and disturb none that is open.
        """
        missing = sorted(timeframe for name, timeframe in self.asked.items() if name not in self.history)
        if self.source is None or self._sample is None or not missing:
            return
        if self.book is None:
            self.book = self.source.candles(self.symbol, missing, self._sample)
        else:
            whole = [c for kept in self.history.values() for c in kept if not c.partial and c.quality == "ok"]
            self.book.extend(missing, whole, max(self._reached, self.clock.watermark))
        for timeframe in missing:
            self.history[timeframe.id] = deque(maxlen=HISTORY)
        self.next_close = self.book.next_close
        self._leap = LEAP * min(timeframe.rank[0] for timeframe in self.asked.values())
        self.clock.agenda.note(self)

    def renew(self) -> None:
        """Forget the candles and their history: from the next tick on they are made otherwise."""
        self.book = None
        self.history.clear()
        self.next_close = self._leap = NEVER
        self.open_from = self.open_to = 0

    def next_wall(self) -> int:
        """Event-clock instant at which a timer has to close something."""
        at = None if self.book is None else self.book.next_wall
        return NEVER if at is None else at

    def flush(self, epoch: int, send: Send) -> None:
        """Publish the ticks of this turn as one message, then fold them."""
        ticks = self.pending
        if not ticks:
            return
        if self.wanted:
            send(self.tick_topic + encode(Ticks(epoch, self.tick_seq + 1, ticks)))
        self.tick_seq += len(ticks)
        self.published += len(ticks)
        self.pending = []
        self._reached = max(self._reached, ticks[-1].ts)
        if self.book is not None:
            add = self.book.add
            for tick in ticks:
                add(tick)
            self.next_close = self.book.next_close

    def flag(self, tick: Tick) -> Tick:
        """Mark a tick that no candle will hold, before it is published."""
        ts, flags = tick.ts, 0
        if self.source is None:
            return tick
        closed_to = 0 if self.book is None else self.book.closed_to
        session = self.source.calendar.segment(ts)
        if session is not None:
            self.open_from, self.open_to = max(session[0], closed_to), session[1]
        elif self.source.calendar.admit(ts) is None:
            flags = TICK_OUT_OF_SESSION
        if ts < closed_to and not flags:
            flags = TICK_LATE
        return msgspec.structs.replace(tick, flags=tick.flags | flags) if flags else tick

    def close_due(self, epoch: int, watermark: int, wall: int, healthy: bool, send: Send) -> list[Candle]:
        """Close every candle due, publish one message a boundary, return them in the order published."""
        if self.book is None:
            return []
        if healthy and max(watermark, wall) - self.next_close > self._leap:
            self._leap_to(max(watermark, wall))
        published: list[Candle] = []
        for group in self.book.close_due(watermark, wall, healthy):
            for candle in (*group.withheld, *group.candles):
                self.history[candle.timeframe].append(candle)
            if group.candles:
                self.candle_seq += 1
                if self.wanted:
                    send(
                        self.candle_topic
                        + encode(Candles(epoch, self.candle_seq, group.as_of, group.candles))
                    )
                published += group.candles
        self.next_close = self.book.next_close
        self.open_from = max(self.open_from, self.book.closed_to)
        return published

    def _leap_to(self, at: int) -> None:
        """Treat a step over more than ``LEAP`` candles of trading time as a hole, not as a quiet market."""
        if self.book is None or self.source is None:
            return
        calendar, passed, edge = self.source.calendar, 0, self.next_close
        while passed <= self._leap:
            opens = calendar.next_open(edge)
            if opens is None or opens >= at:
                return
            segment = calendar.segment(opens)
            edge = at if segment is None else min(segment[1], at)
            passed += edge - opens
        self.book.mark_unhealthy(self.next_close)
        self.book.mark_healthy(at)


class Market:
    """All streams of the engine."""

    def __init__(self, epoch: int, send: Send) -> None:
        self.epoch = epoch
        self.streams: dict[str, Stream] = {}
        self._send = send
        self._ready: list[Stream] = []

    def stream(self, symbol: str) -> Stream:
        """The stream of ``symbol``, made at its first mention."""
        found = self.streams.get(symbol)
        if found is None:
            found = self.streams[symbol] = Stream(symbol)
        return found

    def want(self, symbol: str, timeframes: Sequence[Timeframe]) -> None:
        """One more cell reads ``symbol``; build those of its timeframes that are not built yet."""
        stream = self.stream(symbol)
        stream.wanted += 1
        stream.flush(self.epoch, self._send)
        stream.asked.update((timeframe.id, timeframe) for timeframe in timeframes)
        stream.build()

    def unwant(self, symbol: str) -> None:
        """One cell fewer reads ``symbol``; its candles are kept warm."""
        self.streams[symbol].wanted -= 1

    def take(self, stream: Stream, tick: Tick) -> Tick:
        """Accept one tick into this turn and return it, flagged; the engine's hottest lines."""
        ts = tick.ts
        if ts >= stream.next_close:
            stream.flush(self.epoch, self._send)
            stream.close_due(self.epoch, ts, ts, stream.clock.healthy, self._send)
            tick = stream.flag(tick)
        elif not stream.open_from <= ts < stream.open_to:
            tick = stream.flag(tick)
        if not stream.pending:
            self._ready.append(stream)
        stream.pending.append(tick)
        if stream.next_close == NEVER and stream.book is not None:
            # The very first tick starts the candles; only then is the next boundary known.
            stream.flush(self.epoch, self._send)
            stream.clock.agenda.note(stream)
        return tick

    def take_bar(self, stream: Stream, bar: Bar) -> None:
        """Accept a feed's own candle: it feeds the timeframes above it."""
        stream.flush(self.epoch, self._send)
        if stream.book is not None:
            stream.book.add_bar(bar)
            clock = stream.clock
            stream.close_due(self.epoch, clock.watermark, clock.watermark, clock.healthy, self._send)
            clock.agenda.note(stream)

    def flush(self) -> list[Stream]:
        """Publish everything that this turn collected; return the streams that had something."""
        ready, self._ready = self._ready, []
        for stream in ready:
            stream.flush(self.epoch, self._send)
        return ready

    def close_by(self, clock: FeedClock, monotonic: int) -> list[Candle]:
        """Close what the watermark or the timer of one clock has passed, looking at nothing else."""
        due = clock.agenda.take(clock.watermark, clock.now(monotonic))
        streams = [self.streams[one.symbol] for one in due]
        closed = self.close_due(streams, monotonic)
        for stream in streams:
            stream.clock.agenda.note(stream)
        return closed

    def close_due(self, streams: Iterable[Stream], monotonic: int) -> list[Candle]:
        """Close what the watermark of its clock or the timer has passed, of each stream."""
        closed: list[Candle] = []
        for stream in streams:
            clock = stream.clock
            closed += stream.close_due(
                self.epoch, clock.watermark, clock.now(monotonic), clock.healthy, self._send
            )
        return closed

    def close_to(self, symbols: Iterable[str], at: int) -> None:
        """Close what is over at event time ``at``, of these symbols: what follows comes behind it."""
        for symbol in symbols:
            stream = self.streams[symbol]
            stream.flush(self.epoch, self._send)
            if stream.next_close <= at:
                stream.close_due(self.epoch, at, at, stream.clock.healthy, self._send)
                stream.clock.agenda.note(stream)

    def warmup(self, symbols: Iterable[str], timeframes: Iterable[str], count: int) -> list[Candle]:
        """Return the last ``count`` closed candles of each series, ascending close time, then timeframe."""
        wanted = list(timeframes)
        series = [
            list(self.streams[symbol].history[timeframe])[-count:]
            for symbol in symbols
            for timeframe in wanted
            if count and timeframe in self.streams[symbol].history
        ]
        order = [sorted(one, key=_order) for one in series]
        return list(heapq.merge(*order, key=_order))

    def position(self, symbols: Iterable[str]) -> dict[str, int]:
        """Return the last sequence published on every topic of ``symbols``."""
        found: dict[str, int] = {}
        for symbol in symbols:
            stream = self.streams[symbol]
            found[stream.tick_topic.decode()] = stream.tick_seq
            found[stream.candle_topic.decode()] = stream.candle_seq
        return found


def _order(candle: Candle) -> tuple[int, int, str]:
    return candle.close_time, candle.close_time - candle.open_time, candle.symbol
