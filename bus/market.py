"""From accepted ticks to what is published: sequences, candles, batches. Pure: frames out, no socket.

One ``Stream`` a symbol. Within one turn of the engine's loop a stream collects its ticks; ``flush``
numbers them, hands out one frame, and only then folds them into candles, so that building candles never
delays a tick. The one exception is what makes candles consistent: a tick at or past the next boundary
first publishes what came before it and closes what is due, so no strategy sees a tick of the new candle
before the old candle (candles.md 9).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

import msgspec

from bus import topics
from bus.agenda import NEVER
from bus.captured import MarketState, StreamState
from bus.clock import MARK_EVERY, MARKS, RECORDED, FeedClock
from bus.leaps import LEAP
from bus.messages import Bar, Candle, Tick, encode
from bus.past import HISTORY
from bus.shared import Archive, NoArchive, Send, Shared, Source
from bus.stream import Stream
from bus.timeframes import Timeframe

__all__ = [
    "HISTORY", "LEAP", "MARKS", "MARK_EVERY", "RECORDED",
    "FeedClock", "Market", "MarketState", "Source", "Stream", "StreamState",
]  # fmt: skip

_decode_state = msgspec.msgpack.Decoder(StreamState).decode


class Market:
    """All streams of the engine.

    ``send`` takes what is published, in order. ``record`` takes, in the same order, what only the next
    engine is to know (topic ``state|SYMBOL|``, and ticks and candles that nobody reads now): with both on
    one tape, ``capture``, ``restore`` and ``revive`` go on where this engine was. ``archive`` keeps closed
    candles for warm-up.
    """

    def __init__(
        self, epoch: int, send: Send, *, record: Send | None = None, archive: Archive | None = None
    ) -> None:
        self.epoch = epoch
        self.streams: dict[str, Stream] = {}
        self._shared = Shared(epoch, send, record, archive or NoArchive())
        self._ready: list[Stream] = []

    def stream(self, symbol: str) -> Stream:
        """The stream of ``symbol``, made at its first mention."""
        found = self.streams.get(symbol)
        if found is None:
            found = self.streams[symbol] = Stream(symbol, self._shared)
        return found

    def want(self, symbol: str, timeframes: Sequence[Timeframe]) -> None:
        """One more cell reads ``symbol``; build those of its timeframes that are not built yet."""
        stream = self.stream(symbol)
        stream.wanted += 1
        stream.read = True
        stream.flush()
        stream.asked.update((timeframe.id, timeframe) for timeframe in timeframes)
        self._shared.untold.add(symbol)
        stream.build()

    def unwant(self, symbol: str) -> None:
        """One cell fewer reads ``symbol``; its candles are kept warm, unless nothing ever came of it.

        A name that no feed has is forgotten: who starts and removes deployments could fill us with such.
        """
        stream = self.streams[symbol]
        stream.wanted -= 1
        if not stream.wanted and stream.is_blank:
            del self.streams[symbol]
            self._shared.untold.discard(symbol)

    def take(self, stream: Stream, tick: Tick) -> Tick:
        """Accept one tick into this turn and return it, flagged; the engine's hottest lines."""
        ts = tick.ts
        if ts >= stream.next_close:
            # Who it comes from is on the tape before the candle that it closes: else that could close again.
            (self if stream.symbol in self._shared.untold else stream).flush()
            stream.pass_by(ts)
            tick = stream.flag(tick)
        elif not stream.open_from <= ts < stream.open_to:
            tick = stream.flag(tick)
        if not stream.pending:
            self._ready.append(stream)
        stream.pending.append(tick)
        if stream.next_close == NEVER and stream.book is not None:
            # The very first tick starts the candles; only then is the next boundary known.
            stream.flush()
            stream.open_from = max(stream.open_from, stream.book.closed_to)  # before is no candle
            stream.clock.agenda.note(stream)
        return tick

    def take_bar(self, stream: Stream, bar: Bar) -> None:
        """Accept a feed's own candle: it feeds the timeframes above it."""
        if stream.symbol in self._shared.untold:
            self.flush()  # as for a tick that closes a candle
        stream.add_bar(bar)
        if stream.book is not None:
            clock = stream.clock
            stream.close_due(clock.watermark, clock.watermark, clock.healthy)
            clock.agenda.note(stream)

    def flush(self) -> list[Stream]:
        """Publish everything that this turn collected; return the streams that had something."""
        ready, self._ready = self._ready, []
        for stream in ready:
            stream.flush()
        if self._shared.untold:
            self._tell()
        return ready

    def _tell(self) -> None:
        """Record the streams that have changed in a way that nothing published tells."""
        record, untold = self._shared.record, self._shared.untold
        if record is not None:
            for symbol in sorted(untold):
                record(topics.state(symbol) + encode(self.streams[symbol].capture()))
        untold.clear()

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
            closed += stream.close_due(clock.watermark, clock.now(monotonic), clock.healthy)
        if self._shared.untold:
            self._tell()
        return closed

    def close_to(self, symbols: Iterable[str], at: int) -> None:
        """Close what is over at event time ``at``, of these symbols: what follows comes behind it."""
        for symbol in symbols:
            stream = self.streams[symbol]
            stream.flush()
            if stream.next_close <= at:
                stream.close_due(at, at, stream.clock.healthy)
                stream.clock.agenda.note(stream)

    def warmup(
        self,
        symbols: Iterable[str],
        timeframes: Iterable[str],
        count: int,
        since: Mapping[str, int] | None = None,
    ) -> list[Candle]:
        """Return the last ``count`` closed candles of each series, ascending close time, then timeframe.

        ``since`` holds sequences by topic (``position``): then the last ``count`` up to there, and those
        that closed after. A message closes at most one candle of a timeframe.
        """
        wanted = list(timeframes)
        series = []
        for symbol in symbols if count else ():
            stream = self.streams[symbol]
            topic = stream.candle_topic.decode()
            later = stream.candle_seq - (since or {}).get(topic, stream.candle_seq)
            most = count + max(0, later)
            series += [list(stream.closed(name))[-most:] for name in wanted if name in stream.history]
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

    # ---- over a restart -------------------------------------------------------------------------
    def capture(self) -> MarketState:
        """Publish what this turn collected, and return how everything stands then.

        Frames published and recorded afterwards go on from it. The archive holds every candle before it.
        """
        self.flush()
        self._shared.archive.flush()
        return MarketState(tuple(stream.capture() for stream in self.streams.values()))

    def restore(self, state: MarketState, frames: Iterable[bytes]) -> None:
        """Number on from ``state`` and the ``frames`` of the tape behind it; others than ours are ignored.

        First of all, before anybody wants anything. Candles follow once their feed is there: ``revive``.
        """
        states = {one.symbol: one for one in state.streams}
        behind: dict[str, list[bytes]] = {symbol: [] for symbol in states}
        for frame in frames:
            kind, name, payload = frame.split(b"|", 2)
            symbol = name.decode()
            if kind == b"state":
                before = states.get(symbol, StreamState(symbol))
                states[symbol] = _decode_state(payload)
                # What an engine left that was killed before the feed was there is in its mark.
                self._shared.remember(before, [*before.behind, *behind.get(symbol, [])])
                behind[symbol] = []
            elif kind in {b"tick", b"candle"}:
                states.setdefault(symbol, StreamState(symbol))
                behind.setdefault(symbol, []).append(frame)
        for symbol, one in states.items():
            self.stream(symbol).restore(one, behind[symbol])
            self._shared.remember(one, [])
        self._shared.archive.flush()

    def abandon(self, feeds: Container[str]) -> None:
        """Go on with no symbol of an engine before this one whose feed is none of ``feeds``.

        What it left would be in every state that is captured, with all that came behind it. Its numbers go
        on, its candles are in the archive.
        """
        for stream in self.streams.values():
            left = stream.left
            if left is not None and left.feed not in feeds:
                stream.part()
                self._shared.untold.add(stream.symbol)

    def revive(
        self, source: Source, clock_of: Callable[[int], FeedClock], tell: Callable[[str], object]
    ) -> list[Stream]:
        """Go on with the symbols that ``source`` brought, and return them.

        ``clock_of`` gives the clock for a symbol that has reached an event time. ``tell`` gets a sentence on
        each symbol whose candles begin anew, for its feed makes others of its ticks than it did.
        """
        revived = [s for s in self.streams.values() if s.left is not None and s.left.feed == source.name]
        for stream in revived:
            if why := stream.revive(source, clock_of):
                tell(why)
        return revived


def _order(candle: Candle) -> tuple[int, int, str]:
    return candle.close_time, candle.close_time - candle.open_time, candle.symbol
