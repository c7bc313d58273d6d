"""One symbol of the market: its numbered topics, its candles and their history, over restarts too.

What is published of a symbol, with its state now and then, is enough to make it anew (``replay``): ticks are
folded again, and what closed closes again. What changes the candles and is not among that is told at once,
as a state of its own (``Shared.untold``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bus import topics
from bus.agenda import NEVER
from bus.candles import SymbolCandles
from bus.captured import StreamState
from bus.clock import FeedClock
from bus.leaps import LEAP, is_hole
from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Bar, Candle, Candles, Tick, Ticks, encode
from bus.past import Past
from bus.shared import Shared, Source
from bus.timeframes import Timeframe, parse
from bus.timeline import Closed

_decode_ticks = msgspec.msgpack.Decoder(Ticks).decode
_decode_candles = msgspec.msgpack.Decoder(Candles).decode


class Stream:
    """One symbol: its two topics, its candles, its history, and the ticks of this turn.

    ``source`` is None until the first tick tells which feed brings the symbol; candles start then.
    ``book`` is None until somebody asked for a timeframe. ``left`` is what an engine before this one left
    of it, until its feed is there to go on with it.
    """

    __slots__ = (
        "_leap", "_reached", "_sample", "_shared", "_withheld", "asked", "book", "candle_seq",
        "candle_topic", "clock", "history", "left", "next_close", "open_from", "open_to", "pending",
        "published", "read", "source", "symbol", "tick_seq", "tick_topic", "wanted",
    )  # fmt: skip

    def __init__(self, symbol: str, shared: Shared) -> None:
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
        self.read = False  # by anybody, ever
        self.pending: list[Tick] = []
        self.history = Past(symbol, shared.archive)
        self.next_close = NEVER
        # Where no tick needs a second look: in a session, and in no candle that is closed.
        self.open_from = 0
        self.open_to = 0
        self.book: SymbolCandles | None = None
        self.left: StreamState | None = None
        self._shared = shared
        self._sample: Tick | Bar | None = None
        self._reached = 0
        self._leap = NEVER
        self._withheld: list[Candle] = []

    @property
    def is_blank(self) -> bool:
        """Whether no feed has brought it, now or before: there is nothing in it that a new one would lack."""
        return self.source is None and self.left is None and not (self.tick_seq or self.candle_seq)

    # ---- where it comes from --------------------------------------------------------------------
    def adopt(self, source: Source, sample: Tick | Bar, clock: FeedClock | None = None) -> None:
        """Take note of the feed that brings this symbol, and start what was asked for before.

        It goes by the feed's clock, unless another one is given.
        """
        self.part()
        self.source, self._sample = source, sample
        self._shared.untold.add(self.symbol)
        self.follow(clock or source.clock)
        self.build()

    def part(self) -> None:
        """Go on with nothing that an engine before this one left: its candles are in the archive then."""
        if self.left is not None:
            self._shared.remember(self.left, self.left.behind)
            self.left = None

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
            begins = self._sample.ts if isinstance(self._sample, Tick) else self._sample.open_time
        else:
            now = begins = max(self._reached, self.clock.watermark)
            self.book.extend(missing, self._whole(), now)
        for timeframe in missing:
            self.history.begin(timeframe.id, min(begins, self.book.opens(timeframe.id)))
        self._goes_on()
        self._shared.untold.add(self.symbol)

    def _whole(self) -> list[Candle]:
        """The closed candles after the last that was not whole: what a later timeframe can be filled from."""
        kept = [candle for timeframe in self.history for candle in self.closed(timeframe)]
        since = max((c.close_time for c in kept if c.partial or c.quality != "ok"), default=0)
        return [candle for candle in kept if candle.open_time >= since]

    def closed(self, timeframe: str) -> deque[Candle]:
        """The closed candles of a timeframe that is built, ascending."""
        return self.history.of(timeframe, self._fits)

    def _fits(self, candle: Candle) -> bool:
        """Whether it is a candle as we make them now."""
        if self.book is None or self.source is None or candle.price_kind != self.book.price_kind:
            return False
        bounds = self.source.calendar.bounds(parse(candle.timeframe), candle.open_time)
        return bounds == (candle.open_time, candle.close_time)

    def _goes_on(self) -> None:
        if self.book is not None:
            self.next_close = self.book.next_close
            self._leap = LEAP * min(timeframe.rank[0] for timeframe in self.asked.values())
            self.clock.agenda.note(self)

    def renew(self) -> None:
        """Forget the candles and their history: from the next tick on they are made otherwise."""
        self.book = self.left = None
        self.history.clear()
        self.next_close = self._leap = NEVER
        self.open_from = self.open_to = 0
        self._shared.untold.add(self.symbol)

    def mark_unhealthy(self, since: int) -> None:
        """Say that data may be missing from event time ``since`` on."""
        if self.book is not None:
            self.book.mark_unhealthy(since)
            self._shared.untold.add(self.symbol)
            self.clock.agenda.note(self)

    def mark_healthy(self, until: int) -> None:
        """Say that from event time ``until`` on nothing is missing."""
        if self.book is not None:
            self.book.mark_healthy(until)
            self._shared.untold.add(self.symbol)
            self.clock.agenda.note(self)

    # ---- what goes through ----------------------------------------------------------------------
    def next_wall(self) -> int:
        """Event-clock instant at which a timer has to close something."""
        at = None if self.book is None else self.book.next_wall
        return NEVER if at is None else at

    def flush(self) -> None:
        """Publish the ticks of this turn as one message, then fold them."""
        ticks = self.pending
        if not ticks:
            return
        shared, book = self._shared, self.book
        if self.read:
            self._publish(self.tick_topic, Ticks(shared.epoch, self.tick_seq + 1, ticks))
        self.tick_seq += len(ticks)
        self.published += len(ticks)
        self.pending = []
        self._reached = max(self._reached, ticks[-1].ts)
        if book is not None:
            add = book.add
            for tick in ticks:
                add(tick)
            self.next_close = book.next_close

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

    def add_bar(self, bar: Bar) -> None:
        """Fold a feed's own candle. It is not published, so the state after it is told."""
        self.flush()
        if self.book is not None:
            self.book.add_bar(bar)
            self._shared.untold.add(self.symbol)

    def pass_by(self, ts: int) -> None:
        """Close what a tick of event time ``ts`` closes."""
        self._close(ts, ts, self.clock.healthy, by_tick=True)

    def close_due(self, watermark: int, wall: int, healthy: bool) -> list[Candle]:
        """Close every candle due, publish one message a boundary, return them in the order published."""
        return self._close(watermark, wall, healthy, by_tick=False)

    def _close(self, watermark: int, wall: int, healthy: bool, *, by_tick: bool) -> list[Candle]:
        book = self.book
        if book is None:
            return []
        before = book.next_close, book.closed_to
        turned = healthy == book.interrupted
        groups = self._pass(book, watermark, wall, healthy)
        moved = (book.next_close, book.closed_to) != before
        if turned or (moved and not by_tick and not self._tells_all(book, groups)):
            self._shared.untold.add(self.symbol)
        published: list[Candle] = []
        for group in groups:
            self.history.add((*group.withheld, *group.candles))
            self._withheld += group.withheld
            if group.candles:
                self.candle_seq += 1
                self._publish(
                    self.candle_topic,
                    Candles(self._shared.epoch, self.candle_seq, group.as_of, group.candles),
                )
                published += group.candles
        return published

    def _pass(self, book: SymbolCandles, watermark: int, wall: int, healthy: bool) -> list[Closed]:
        """Close what is due; tell nobody."""
        since, at = self.next_close, max(watermark, wall)
        leaps, source = healthy and at - since > self._leap, self.source
        if leaps and source is not None and is_hole(source.calendar, since, at, self._leap):
            book.mark_unhealthy(since)
            book.mark_healthy(at)
            self._shared.untold.add(self.symbol)  # where it begins depends on what the clock had closed
        groups = book.close_due(watermark, wall, healthy)
        self.next_close = book.next_close
        self.open_from = max(self.open_from, book.closed_to)
        return groups

    def _tells_all(self, book: SymbolCandles, groups: Sequence[Closed]) -> bool:
        """Whether the published candles alone say what the timer or the watermark has closed."""
        whole = all(group.candles and not group.withheld for group in groups)
        return whole and bool(groups) and groups[-1].as_of == book.closed_to and book.plain

    def _publish(self, topic: bytes, message: Ticks | Candles) -> None:
        """Publish a message, or only record it if nobody reads it now."""
        send = self._shared.send if self.wanted else self._shared.record
        if send is not None:
            send(topic + encode(message))

    # ---- over a restart -------------------------------------------------------------------------
    def capture(self) -> StreamState:
        """Return how it stands after what was published of it; ticks of this turn are not in it."""
        withheld, self._withheld = tuple(self._withheld), []
        if self.left is not None:
            return msgspec.structs.replace(self.left, asked=tuple(sorted(self.asked)))
        sample = self._sample
        return StreamState(
            self.symbol,
            self.tick_seq,
            self.candle_seq,
            "" if self.source is None else self.source.name,
            sample if isinstance(sample, Tick) else None,
            sample if isinstance(sample, Bar) else None,
            self._reached,
            tuple(sorted(self.asked)),
            None if self.book is None else self.book.capture(),
            withheld,
            read=self.read,
        )

    def restore(self, state: StreamState, frames: Iterable[bytes]) -> None:
        """Take up the numbers of ``state`` and of the ``frames`` published of this symbol after it.

        The rest waits for the feed: ``revive``.
        """
        behind = (*state.behind, *frames)
        self.tick_seq, self.candle_seq = state.tick_seq, state.candle_seq
        for frame in reversed(behind):
            if frame.startswith(self.tick_topic):
                last = _decode_ticks(frame[len(self.tick_topic) :])
                self.tick_seq = last.seq + len(last.ticks) - 1
                break
        for frame in reversed(behind):
            if frame.startswith(self.candle_topic):
                self.candle_seq = _decode_candles(frame[len(self.candle_topic) :]).seq
                break
        self.published = self.tick_seq
        self.read = state.read
        self.asked |= {name: parse(name) for name in state.asked}
        self.left = msgspec.structs.replace(state, behind=behind) if state.feed else None

    def revive(self, source: Source, clock_of: Callable[[int], FeedClock]) -> str:
        """Go on with what was left, now that its feed is there; return why candles do not, or "".

        They do not if the feed makes others of its ticks than it did: then they begin anew. ``clock_of``
        gives the clock for a symbol that has reached an event time.
        """
        left = self.left
        sample = None if left is None else left.tick or left.bar
        if left is None or sample is None:
            return ""
        self.left, self.source, self._sample, self._reached = None, source, sample, left.reached
        why = ""
        if left.book is not None:
            series = left.book.line.series
            book = source.candles(self.symbol, [parse(one.timeframe) for one in series], sample)
            try:
                book.restore(left.book)
            except ValueError as error:
                why = f"{self.symbol}: {error}"
            else:
                self.book = book
                reached = max(left.book.line.closed_to, left.reached)
                for one in series:
                    self.history.begin(one.timeframe, min(one.current.open_time, reached))
                self._goes_on()
        self._replay(left.behind)
        self.follow(clock_of(self._reached))
        self.build()
        self._goes_on()
        self._shared.untold.add(self.symbol)
        return why

    def _replay(self, frames: Iterable[bytes]) -> None:
        """Do again what was published, and publish nothing."""
        told: list[Candles] = []
        for frame in frames:
            if frame.startswith(self.tick_topic):
                ticks = _decode_ticks(frame[len(self.tick_topic) :]).ticks
                for tick in ticks:
                    self._replay_tick(tick, told)
                self._reached = max(self._reached, ticks[-1].ts)
            elif frame.startswith(self.candle_topic):
                told.append(_decode_candles(frame[len(self.candle_topic) :]))
        self._replay_closes(told)

    def _replay_tick(self, tick: Tick, told: list[Candles]) -> None:
        """Take a published tick in again. ``told`` closed before it, by the clock or by this very tick."""
        book = self.book
        if book is None:
            return
        if told and told[-1].as_of > tick.ts - book.lateness:
            self._replay_closes(told)  # this tick cannot have closed that
        if tick.ts >= book.next_close:
            self._settle(self._pass(book, tick.ts, tick.ts, not book.interrupted), told)
        elif told:
            self._replay_closes(told)
        if tick.flags & TICK_LATE and tick.ts >= book.closed_to:
            book.counts["late"] += 1  # the clock had closed its candle, and nothing of that was published
        else:
            book.add(tick)
        self.next_close = book.next_close

    def _replay_closes(self, told: list[Candles]) -> None:
        """Close what the clock had closed."""
        if told and self.book is not None:
            if isinstance(self._sample, Bar):  # bars are not on the tape, but what closed of one is the bar
                given = self._sample.timeframe
                for candle in (one for message in told for one in message.candles):
                    known = candle.open_time < self.book.bars_to  # it was in already when the mark was taken
                    # A synthetic one was closed by the clock.
                    if candle.timeframe == given and not candle.synthetic and not known:
                        self.book.add_bar(candle)
            self._settle(self.book.close_to(told[-1].as_of), told)
            self.next_close = self.book.next_close

    def _settle(self, groups: Iterable[Closed], told: list[Candles]) -> None:
        """Keep what closed again; what strategies were not told then, they were not for a reason."""
        known = [candle for message in told for candle in message.candles]
        ids = {(candle.timeframe, candle.open_time) for candle in known}
        for group in groups:
            untold = [c for c in group.candles if (c.timeframe, c.open_time) not in ids]
            withheld = [*group.withheld, *(msgspec.structs.replace(c, quality="incomplete") for c in untold)]
            self._withheld += withheld
            self.history.add([*withheld, *(c for c in group.candles if c not in untold)])
        told.clear()
