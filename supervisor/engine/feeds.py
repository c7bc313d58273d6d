"""One feed inside the engine: its socket, its intake, its clock and the symbols it brings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from bus.candles import SymbolCandles
from bus.feeds.health import Gap
from bus.feeds.peers import Peers
from bus.feeds.track import SymbolKnown, Track
from bus.intake import Intake
from bus.market import RECORDED, FeedClock, Market, Stream
from bus.messages import Bar, FeedStatus, Tick
from bus.sessions import SessionCalendar
from bus.sockets import FeedSocket, Hub
from bus.timeframes import Timeframe
from bus.timeline import Synthetic
from supervisor.control import FeedRow, FeedSpec
from supervisor.engine.inflow import Inflow
from supervisor.engine.recovery import Recovery

NANOS = 1_000_000_000
PASTS = 8
"""Clocks that one feed may have for symbols from its past."""


class FeedKnown(Struct, frozen=True):
    """What an engine knew of a feed: per symbol its numbers and times, the watermark, and whom to ask."""

    symbols: dict[str, SymbolKnown] = {}
    watermark: int = 0
    recovery: str = ""

    def moved(self, ticks: Iterable[Tick]) -> FeedKnown:
        """What it knew after it had delivered these, too."""
        tracks: dict[str, Track] = {}
        watermark = self.watermark
        for tick in ticks:
            watermark = max(watermark, tick.ts)
            if tick.seq is not None:
                track = tracks.get(tick.symbol)
                if track is None:
                    track = tracks[tick.symbol] = Track(tick.symbol)
                    if tick.symbol in self.symbols:
                        track.resume(self.symbols[tick.symbol])
                track.follow(tick.seq, tick.ts)
                track.advance(tick.ts, tick.last is not None)
        moved = {symbol: known for symbol, track in tracks.items() if (known := track.known())}
        return FeedKnown({**self.symbols, **moved}, watermark, self.recovery)


class FeedPort:
    """Owns the socket of one ``[feeds.NAME]`` section."""

    def __init__(
        self,
        hub: Hub,
        spec: FeedSpec,
        calendar: SessionCalendar,
        synthetic: Synthetic,
        *,
        tell: Callable[[str, str], None] = lambda _kind, _text: None,
        known: FeedKnown | None = None,
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self._hub = hub
        self.clock = FeedClock()
        self.clocks = [self.clock]
        """Its own first, then those of symbols that it brought from its past."""
        self.streams: dict[str, Stream] = {}
        self.foreign: set[str] = set()
        """Symbols that another feed brought first, and brings."""
        self.conflicts = 0
        """How many ticks and bars of such symbols were not delivered."""
        self.calendar = calendar
        self._synthetic = synthetic
        self.intake = Intake(
            spec.name,
            spec.format,
            venue_suffix=spec.venue_suffix,
            heartbeat_s=spec.heartbeat,
            trading_day=lambda _symbol, ts: _day(calendar, ts),
        )
        self.socket = FeedSocket(hub, spec.endpoint, spec.mode, spec.curve_server_key)
        self._peers = Peers()
        self.deserted = False
        """Whether the last publisher has gone, while what it sent may still be waiting."""
        self.recovery = Recovery(hub, spec, tell, known.recovery if known else "")
        self.inflow = Inflow(
            hub,
            self.socket,
            self.intake,
            self.recovery,
            clocks=self.clocks,
            outage=lambda: self._turn(healthy=False),
        )
        if known is not None:
            self._resume(known)

    def items(self, now: int, publish: Callable[[FeedStatus], None]) -> Iterator[Sequence[Tick | Bar]]:
        """Yield what each message that is ready has to deliver, in order; ``now`` is wall-clock ns."""
        intake, inflow, clock = self.intake, self.inflow, self.clock
        for items in inflow.items(now):
            if intake.gapped or inflow.look_now or not clock.healthy:
                # Before these ticks close candles in which something is missing, or after which it is not.
                inflow.look_now = False
                self.check(now, publish)
            yield items

    def _resume(self, known: FeedKnown) -> None:
        """Go on where an engine before this one ended: whatever came since is missing, until it is known."""
        self.intake.resume(known.symbols, known.watermark)
        self.intake.announced = known.recovery
        self.clock.advance(known.watermark, time.monotonic_ns())
        if self.intake.sequenced:
            self.inflow.interrupt()

    def snapshot(self) -> FeedKnown:
        """What another engine needs to go on from here (``known``)."""
        return FeedKnown(self.intake.known(), self.intake.watermark, self.intake.announced)

    # ---- its symbols ----------------------------------------------------------------------------
    def candles(self, symbol: str, timeframes: Sequence[Timeframe], sample: Tick | Bar) -> SymbolCandles:
        """Build the candles of one symbol as this feed's section says.

        ``price = "auto"`` is the last trade, unless the symbol begins with a quote on a feed that may
        have nothing else (dwx, native): then it is the mid.
        """
        price = self.spec.price
        if price == "auto":
            quoted = isinstance(sample, Tick) and sample.last is None
            price = "mid" if quoted and self.spec.format in {"dwx", "native"} else "last"
        return SymbolCandles(
            symbol,
            timeframes,
            self.calendar,
            price=price,
            lateness_ns=int(self.spec.lateness * NANOS),
            grace_ns=int(self.spec.grace * NANOS),
            synthetic=self._synthetic,
        )

    def bring(self, stream: Stream, sample: Tick | Bar) -> None:
        """Bring a symbol from now on; ``sample`` is the first that was heard of it."""
        stream.adopt(self, sample, self._clock_of(_moment(sample)))
        self.streams[stream.symbol] = stream
        if self.clock.healthy:
            # Another feed brought it before, and closed: from here on nothing is missing any more.
            stream.mark_healthy(self.intake.watermark)

    def revive(self, market: Market, tell: Callable[[str], object]) -> None:
        """Go on with the symbols that this feed brought to an engine before this one."""
        for stream in market.revive(self, self._clock_of, tell):
            self.streams[stream.symbol] = stream

    def _clock_of(self, ts: int) -> FeedClock:
        """The clock for a symbol that begins at ``ts``: one of its own time if the feed is far ahead of it.

        A recording from years ago after live data, or a quote from before the weekend: by the feed's clock
        all its candles would be over before they began.
        """
        for clock in self.clocks:
            if clock.watermark - ts < RECORDED:
                return clock
        if len(self.clocks) < PASTS:
            self.clocks.append(FeedClock())
            self.clocks[-1].healthy, self.clocks[-1].held = self.clock.healthy, self.clock.held
        return self.clocks[-1]

    def advance_past(self, stream: Stream, item: Tick | Bar, monotonic: int) -> None:
        """Move on the clock of a symbol from the past, or let it go by the feed's when it has caught up."""
        ts = _moment(item)
        if self.clock.watermark - ts < RECORDED:
            stream.follow(self.clock)
        else:
            stream.clock.advance(ts, monotonic)

    def follow(self, now: int, publish: Callable[[FeedStatus], None]) -> None:
        """Take note of publishers that came or went: there is something on ``socket.monitor``."""
        for event in self.socket.monitor.events():
            if event == "joined" and self.deserted:
                # What comes from now on may be the new one's, which must not be taken for lost with the old.
                self._disconnect(now, publish)
            self.deserted |= self._peers.step(event)
        self.desert(now, publish)

    def desert(self, now: int, publish: Callable[[FeedStatus], None]) -> None:
        """Be disconnected if the last publisher has gone and all that it sent was taken.

        Not before: a fast replay is over for its publisher while most of it is still in our queue.
        """
        if not self.deserted:
            return
        if self.socket.idle:
            self._disconnect(now, publish)
        else:
            self._hub.look_again(self.socket)

    def _disconnect(self, now: int, publish: Callable[[FeedStatus], None]) -> None:
        self.deserted = False
        which = "the publisher at" if self.spec.mode == "connect" else "the last publisher to"
        self.intake.disconnected(f"{which} {self.spec.endpoint} has gone", now)
        self.check(now, publish)

    def check(self, now: int, publish: Callable[[FeedStatus], None]) -> None:
        """Ask the intake how the feed is; tell the candles and the strategies what changed.

        A gap concerns the candles of its symbol, from the last tick before it to what revealed it; only
        what is said of the feed governs its clock. ``now`` is wall-clock ns.
        """
        self.recovery.heed(self.intake.announced)
        gaps = self.intake.gapped.values()
        for status in self.intake.health(now):
            if status.state != "gap" and not status.symbols:
                self._heed(healthy=status.state == "healthy")
            publish(status)
        for gap in gaps:
            self._miss(gap)
        self.inflow.look()

    def _heed(self, *, healthy: bool) -> None:
        """Let the candles know how the feed is, unless what they miss may still be recovered."""
        if not healthy and self.inflow.may_recover:
            self.inflow.interrupt()
        else:
            self._turn(healthy=healthy)

    def _turn(self, *, healthy: bool) -> None:
        """Let the health of the whole feed change at the event time that it has reached."""
        if healthy == self.clock.healthy:
            return
        for clock in self.clocks:
            clock.healthy = healthy
        # Now, and not when something closes: by then the watermark would be past the silence.
        for stream in self.streams.values():
            mark = stream.mark_healthy if healthy else stream.mark_unhealthy
            mark(self.intake.watermark if stream.clock is self.clock else stream.clock.watermark)

    def _miss(self, gap: Gap) -> None:
        """Let the candles of one symbol know what they miss (candles.md 6)."""
        stream = self.streams.get(gap.symbol)
        if stream is None:
            return
        stream.mark_unhealthy(gap.since)
        if self.clock.healthy:
            stream.mark_healthy(gap.until)

    def row(self) -> FeedRow:
        """The feed as ``stratd feeds`` shows it."""
        counts = [stream.book.counts for stream in self.streams.values() if stream.book is not None]
        said = self.intake.row()
        if self.conflicts:
            said["rejected"]["feed_conflict"] = self.conflicts
        said["rejected"] |= {f"recovery_{why}": times for why, times in self.recovery.failed.items()}
        return FeedRow(
            endpoint=self.spec.endpoint,
            mode=self.spec.mode,
            recovered=self.recovery.messages,
            late=sum(count.get("late", 0) for count in counts),
            out_of_session=sum(count.get("out_of_session", 0) for count in counts),
            **said,
        )

    def close(self) -> None:
        """Close the socket. Whatever its symbols miss until another feed brings them is no flat market."""
        self._turn(healthy=False)
        self.recovery.close()
        self.socket.close()


def _moment(item: Tick | Bar) -> int:
    return item.open_time if isinstance(item, Bar) else item.ts


def _day(calendar: SessionCalendar, ts: int) -> int:
    """Name the trading day of ``ts`` by its open; between days, the one that is over is not extended."""
    day = calendar.day(ts)
    return 0 if day is None else day.open
