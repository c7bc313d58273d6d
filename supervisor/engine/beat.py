"""What the engine does as time goes by: the pulse, the timers of strategies, the marks on the tape."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bus import topics
from bus.clock import FeedClock
from bus.messages import Pulse, Tick, TimerFired, encode
from supervisor.engine.resume import mark
from supervisor.engine.sessions import Sessions
from supervisor.engine.stats import engine_stats

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

SECOND = 1_000_000_000
TELL_ALL = 10
"""Pulses from one that tells where every topic is to the next; the others tell of those that moved."""
LATE = SECOND // 20
"""How much later than candles the wall clock fires a timer, ns."""
MARK_EVERY = 5 * SECOND
MARK_SHARE = 200
"""Between two marks passes so many times what one takes, if that is longer: half a per cent of the loop."""
MARK_BYTES = 2**19
"""Bytes of marks a second, at most: the tape is there for data."""
UNMARKED = 4 * 2**20
"""Bytes of tape without a mark, at most, while the archive of candles cannot be written."""


class Beat:
    """Called by the loop; ``at`` is when it is next to be, monotonic ns."""

    def __init__(self, engine: Engine) -> None:
        self.at = 0
        self._engine = engine
        self._told: dict[str, int] = {}
        self._pulses = 0
        self._mark_at = 0
        self._marked = 0, 0
        """Bytes of the last mark, and the offset behind it."""
        self._announced: dict[str, str] = {}
        self.sessions = Sessions(engine)

    def beat(self, monotonic: int) -> None:
        """Once a second: proof of life, health of the feeds, the whole picture for the supervisor."""
        engine = self._engine
        self.at = monotonic + SECOND
        now = time.time_ns()
        for feed in engine.feeds.values():
            feed.check(now, engine.publish_status)
        engine.turning.look(monotonic)
        engine.orders.retry()
        engine.refusals.look(monotonic)
        self._mark_whom_to_ask()
        self.sessions.look(monotonic)
        self._fire_late(monotonic)
        engine.outlet.bind()
        self._let_time_pass(monotonic)
        publication = engine.publication
        publication.flush()
        pulse = Pulse(engine.epoch, engine.event_now(monotonic), self._moved(), publication.tape.end)
        publication.publish(topics.PULSE + encode(pulse))
        engine.journal.post()  # whoever is told its number may read up to there
        engine.channel.tell(engine_stats(engine, now, engine.longest_turn))
        engine.longest_turn = 0

    def _let_time_pass(self, monotonic: int) -> None:
        """Do what time alone brings to orders, guards and days, by the clocks of their feeds.

        Not by the wall clock, which may be years ahead of a recording: an engine that was restarted has
        orders before it has feeds, and would end them all.
        """
        engine = self._engine
        engine.trading.look(monotonic)
        engine.approvals.look()
        if any(feed.clock.watermark for feed in engine.feeds.values()):
            engine.take(engine.core.pulse(engine.event_now(monotonic), self._clock(monotonic)))

    def _mark_whom_to_ask(self) -> None:
        """Have it marked soon where a feed serves what is missed: another engine could ask nobody."""
        announced = {name: feed.intake.announced for name, feed in self._engine.feeds.items()}
        if announced != self._announced:
            self._announced, self._mark_at = announced, 0

    def fire(self, tick: Tick) -> None:
        """Fire the timers that are due before ``tick``, behind what came and closed before each."""
        engine = self._engine
        clock = engine.market.streams[tick.symbol].clock
        for deployment_id, name, at in engine.timers.due(tick.symbol, tick.ts):
            self._fire(deployment_id, name, at, [clock])
            self.sessions.fired(deployment_id, name, at, tick.ts)

    def _fire_late(self, monotonic: int) -> None:
        """Fire what no tick has come for, by the clocks of what each deployment reads."""
        engine, streams = self._engine, self._engine.market.streams
        for deployment_id, symbols in engine.timers.armed():
            clocks = {streams[symbol].clock for symbol in symbols if symbol in streams}
            reached = {clock: clock.now(monotonic) - self._patience() for clock in clocks}
            newest = max(reached.values(), default=0)
            for _, name, at in engine.timers.due_of([deployment_id], newest):
                self._fire(deployment_id, name, at, [clock for clock in clocks if reached[clock] >= at])
                self.sessions.fired(deployment_id, name, at, newest)

    def _fire(self, deployment_id: str, name: str, at: int, clocks: Sequence[FeedClock]) -> None:
        """Fire one timer, behind the candles that close at its time by the same clocks."""
        engine = self._engine
        engine.market.flush()
        member = engine.roster.current(deployment_id)
        if member is not None:
            streams = engine.market.streams
            due = [symbol for symbol in member.attach.symbols if streams[symbol].clock in clocks]
            engine.market.close_to(due, at)
        # Between two instances too: the next one finds it on the tape, where it belongs.
        engine.command(deployment_id, member.generation if member else 0, TimerFired(name, at))

    def mark(self, monotonic: int) -> None:
        """Between two turns, now and then: note on the tape where everything stands.

        First in a segment too, unless that is full of marks: those of very many symbols fill it alone.
        """
        engine, tape = self._engine, self._engine.publication.tape
        size, behind = self._marked
        if monotonic < self._mark_at and not (tape.fresh and tape.end - behind >= size):
            return
        kept = engine.core.keep(engine.event_now(monotonic))
        if kept.records:
            engine.take(kept)
        engine.settle()
        engine.history.flush()
        if engine.history.behind and not tape.fresh and tape.end - behind < UNMARKED:
            # What closed before a mark is looked for in the archive alone: a full disk must not cost candles.
            self._mark_at = monotonic + SECOND
            return  # and nothing is captured: of what is, each thing is told once
        frame = mark(engine)
        engine.publication.flush()
        self._marked = len(frame), tape.append([frame])
        took = time.monotonic_ns() - monotonic
        self._mark_at = monotonic + max(MARK_EVERY, MARK_SHARE * took, len(frame) * SECOND // MARK_BYTES)

    def _clock(self, monotonic: int) -> Callable[[str], int]:
        """Return what tells the event time of a symbol: its feed's, as it goes on without ticks, or 0."""
        streams = self._engine.market.streams

        def clock(symbol: str) -> int:
            stream = streams.get(symbol)
            return stream.clock.now(monotonic) if stream is not None and stream.source is not None else 0

        return clock

    def _patience(self) -> int:
        """How long the wall clock waits for a tick from before a timer, and for candles to close, ns."""
        specs = [feed.spec for feed in self._engine.feeds.values()]
        return LATE + int(max((max(spec.grace, spec.lateness) for spec in specs), default=0.0) * SECOND)

    def _moved(self) -> dict[str, int]:
        """Return the last sequence of every topic that has moved; of all, now and then."""
        market = self._engine.market
        last = market.position(symbol for symbol, stream in market.streams.items() if stream.wanted)
        numbers = self._engine.publication.numbers
        last |= {topics.cell(deployment_id).decode(): number for deployment_id, number in numbers.items()}
        self._pulses += 1
        told, self._told = self._told, last
        if self._pulses % TELL_ALL == 0:
            return last
        return {topic: seq for topic, seq in last.items() if told.get(topic) != seq}
