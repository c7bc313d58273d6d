"""The engine's loop: one thread, one blocking poll, everything else decided in pure code.

One turn: take what is ready (orders of the supervisor, feeds, reports of cells), publish the ticks, close
the candles that are due, let the core judge and fill, commit the journal ONCE, and only then answer:
journal, then acknowledge, then out. ``_finish`` is the only place that lets an outcome leave. Verdicts are
committed in their turn; fills alone wait ``COMPANY`` for the verdicts on what the same tick caused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bus import topics
from bus.agenda import NEVER
from bus.market import Market, Stream
from bus.messages import Bar, CommandBody, FeedStatus, TakeCheckpoint, Tick, encode
from bus.sockets import Gatekeeper, Hub, MarketSocket, ReportSocket, folder_for_cells
from strategies.trading.core import Core, Outcome
from supervisor.control import EngineEvent, EngineReady, FeedTurned
from supervisor.engine.alerts import Alerts
from supervisor.engine.approvals import Approvals
from supervisor.engine.beat import Beat
from supervisor.engine.channel import Channel
from supervisor.engine.feeds import FeedPort
from supervisor.engine.orders import Orders
from supervisor.engine.outlet import Outlet
from supervisor.engine.publication import Publication
from supervisor.engine.questions import Questions
from supervisor.engine.refusals import Refusals
from supervisor.engine.reports import Reports
from supervisor.engine.resume import Kept, resume
from supervisor.engine.roster import Roster
from supervisor.engine.saving import Saving
from supervisor.engine.states import States
from supervisor.engine.timers import Timers
from supervisor.engine.trading import Trading
from supervisor.engine.turning import Turning
from supervisor.store import trading_file
from supervisor.store.history import History
from supervisor.store.journal import Journal
from supervisor.store.tape import Tape

SECOND = 1_000_000_000
MOST_REFUSED = 1000
"""Names of refused connections that are remembered, and told."""
LOOK_EVERY = SECOND // 20
"""The timer looks at quiet symbols no more often than this."""
COMPANY = SECOND // 1000
"""How long a fill may wait for its commit. The tick that filled an order is also what a strategy answers,
well within that time: then both are one commit and one message, and the cell has one turn with them."""
STALL = SECOND // 10
SETTLE = SECOND // 20
"""A turn that comes so late means that the engine was kept from running; then the sockets get so long."""
POST_AFTER = SECOND // 50
"""From a commit until the journal's tables hold it, at most: what others read is behind by so much."""


class Engine:
    """Owns every socket of the data plane and the journal. ``run`` returns when told to end."""

    def __init__(
        self, runtime: Path, journal: Journal, tape: Tape, history: History, channel: Channel, *, epoch: int
    ) -> None:
        self.epoch = epoch
        self.journal = journal
        self.core = Core(seed=journal.seed)
        self.trading = Trading(self, journal.path.with_name(trading_file.NAME))
        self.alerts = Alerts(self)
        self.approvals = Approvals(self)
        self.questions = Questions(self)
        self.channel = channel
        self.roster = Roster()
        self.timers = Timers()
        self.feeds: dict[str, FeedPort] = {}
        self.turning = Turning(channel.tell)
        self.hub = Hub()
        self._gate = Gatekeeper(self.hub, self._admit)
        folder = folder_for_cells(runtime)
        self.market_socket = MarketSocket(self.hub, f"ipc://{folder}/market")
        self._reports = ReportSocket(self.hub, f"ipc://{folder}/reports")
        self.outlet = Outlet(self.hub, runtime, accepted=journal.accepted, event=self.event)
        self.publication = Publication(tape, self.market_socket.send)
        publish = self.publication.publish
        self.history = history
        self.market = Market(epoch, publish, record=publish, archive=history)
        self.orders = Orders(self)
        self.refusals = Refusals(self.event)
        self._handle = Reports(self)
        self.beat = Beat(self)
        self._refused: set[str] = set()
        self._ticks: list[Tick] = []
        self._outcomes: list[Outcome] = []
        self._afterwards: list[Callable[[], None]] = []
        self._closes_at = self._woken_by = 0
        self._away = False
        self._commits_at = NEVER
        self._posts_at = NEVER
        self.longest_turn = 0
        """Since it was last told, ns."""
        self.saving = Saving(every=30 * SECOND)
        self.states = States(self)
        self.stopping = False

    def go_on(self, kept: Kept) -> None:
        """Begin where the engine before this one was. Call it once, before ``run``."""
        self.core.restore(self.journal.recover())
        self.trading.recall()
        self.orders.known = resume(self, kept)
        self.settle()

    # ---- the loop -------------------------------------------------------------------------------
    def run(self) -> None:
        """Serve until ``ShutDown``."""
        self.hub.watch(self.channel.fileno(), self._take_orders)
        self.hub.watch(self._gate, self._gate.answer)
        self.hub.watch(self._reports, self._take_reports)
        self.channel.tell(
            EngineReady(
                self.epoch,
                self.market_socket.endpoint,
                self._reports.endpoint,
                self.journal.last_seq,
            )
        )
        while not self.stopping:
            self.hub.wait(self._timeout())
            started = time.perf_counter_ns()
            self._finish_turn()
            self.longest_turn = max(self.longest_turn, time.perf_counter_ns() - started)
        self._finish()

    def _timeout(self) -> float:
        """Seconds until the next timer: pulse, a candle that no tick closes, a fill, the journal's tables."""
        due = min(
            *(self.beat.at, self._closes_at, self._commits_at, self._posts_at),
            *(self.saving.wake, self._handle.replays.wake),
        )
        now = time.monotonic_ns()
        self._woken_by = max(due, now)
        return max(0.0, (due - now) / SECOND)

    def _was_away(self, monotonic: int) -> bool:
        """Whether the engine itself stood still (a stopped process, a paused machine, swap).

        Then what has come meanwhile is still on its way into the sockets, and no clock may close a candle
        over it: time is looked at again in a moment, once.
        """
        self._away = not self._away and monotonic - self._woken_by > STALL
        if self._away:
            self._closes_at = self.beat.at = monotonic + SETTLE
        return self._away

    def _finish_turn(self) -> None:
        """Publish, close, judge what follows, commit, answer."""
        self._publish()
        monotonic = time.monotonic_ns()
        away = self._was_away(monotonic)
        if monotonic >= self._closes_at and not away:
            self._close_candles(monotonic)
        if monotonic >= self.beat.at and not away:
            self.beat.beat(monotonic)
        if self._outcomes and (self._afterwards or monotonic >= self._commits_at):
            self._finish()
        if self._afterwards:
            for act in self._afterwards:
                act()
            self._afterwards.clear()
        if monotonic >= self.saving.wake:
            self._ask_for_states(monotonic)
        self._handle.replays.serve()
        self.publication.flush()
        self.beat.mark(monotonic)
        self._post(monotonic)
        self.channel.flush()

    def _ask_for_states(self, monotonic: int) -> None:
        for deployment_id in self.saving.due(monotonic):
            if member := self.roster.current(deployment_id):
                self.command(deployment_id, member.generation, TakeCheckpoint())

    def _post(self, monotonic: int) -> None:
        """Let the journal's tables follow, many turns at once, and when everything has been answered."""
        if not self.journal.behind:
            self._posts_at = NEVER
        elif self._posts_at == NEVER:
            self._posts_at = monotonic + POST_AFTER
        elif monotonic >= self._posts_at:
            self._posts_at = NEVER
            self.journal.post()

    def _publish(self) -> None:
        """Send what the feeds brought, then let it fill what waits: cells work while we book."""
        self.market.flush()
        self.publication.flush()
        ticks, self._ticks = self._ticks, []
        on_tick = self.core.on_tick
        for tick in ticks:
            outcome = on_tick(tick, tick.ts)
            if outcome is not None:
                self._outcomes.append(outcome)
        if self._outcomes and self._commits_at == NEVER:
            self._commits_at = time.monotonic_ns() + COMPANY

    def look(self) -> None:
        """Look for the next boundary in this turn: there are new symbols or timeframes."""
        self._closes_at = 0

    def _close_candles(self, monotonic: int) -> None:
        """Close what the watermark of its feed or the timer has passed; find the next such instant.

        Every symbol's own ticks close its candles at once (bus/market.py); this is for the quiet ones,
        looked at when the watermark of their feed passes a boundary, and by the timer.
        """
        wake = monotonic + SECOND
        for feed in self.feeds.values():
            for clock in feed.clocks:
                self.market.close_by(clock, monotonic)
                due = clock.agenda.next_wall
                if due != NEVER:
                    wake = min(wake, monotonic + due - clock.now(monotonic))
        self._closes_at = max(wake, monotonic + LOOK_EVERY)

    # ---- inputs ---------------------------------------------------------------------------------
    def open_feed(self, feed: FeedPort) -> None:
        """Start to read a feed."""
        self.feeds[feed.spec.name] = feed
        self.turning.opened(feed.spec.name, time.monotonic_ns())
        feed.revive(self.market, lambda why: self.event("feed_candles_anew", f"feed {feed.spec.name}: {why}"))
        self.look()
        # In this order: of a publisher that came back, its return is seen before its messages.
        self.hub.watch(feed.socket.monitor, lambda: feed.follow(time.time_ns(), self.publish_status))
        self.hub.watch(feed.socket, lambda: self._take_feed(feed))

    def close_feed(self, name: str) -> None:
        """Stop reading a feed; its symbols keep their history."""
        feed = self.feeds.pop(name)
        self.turning.closed(name)
        for stream in feed.streams.values():
            stream.source = None
        for other in self.feeds.values():
            other.foreign -= feed.streams.keys()
        self.hub.unwatch(feed.socket)
        self.hub.unwatch(feed.socket.monitor)
        feed.close()

    def _take_feed(self, feed: FeedPort) -> None:
        """Drain one feed: the hot path."""
        now = time.time_ns()
        streams, take, clock = feed.streams, self.market.take, feed.clock
        keep, timers = self._ticks.append, self.timers.due_by
        for items in feed.items(now, self.publish_status):
            for item in items:
                stream = streams.get(item.symbol)
                if stream is None:
                    stream = self._adopt(feed, item)
                    if stream is None:
                        continue
                if stream.clock is not clock:
                    feed.advance_past(stream, item, time.monotonic_ns())
                if isinstance(item, Bar):
                    self._take_bar(stream, item)
                    continue
                if timers and item.ts >= timers.get(item.symbol, NEVER):
                    self.beat.fire(item)
                keep(take(stream, item))
        clock.advance(feed.intake.watermark, time.monotonic_ns())
        if feed.deserted:
            feed.desert(time.time_ns(), self.publish_status)
        if feed.intake.watermark >= clock.agenda.next_close:
            self.look()

    def _take_bar(self, stream: Stream, bar: Bar) -> None:
        self.market.take_bar(stream, bar)
        outcome = self.core.on_price(bar.symbol, bar.close, bar.open_time)
        if outcome is not None and outcome.records:
            self.take(outcome)

    def _adopt(self, feed: FeedPort, sample: Tick | Bar) -> Stream | None:
        """The stream of a symbol first heard on ``feed``; None if another feed already brings it."""
        symbol = sample.symbol
        if symbol in feed.foreign:
            feed.conflicts += 1
            return None
        stream = self.market.stream(symbol)
        if stream.source is not None:
            feed.foreign.add(symbol)
            feed.conflicts += 1
            self.event(
                "feed_conflict", f"feed {feed.spec.name}: {symbol} already comes from another feed; not mixed"
            )
            return None
        feed.bring(stream, sample)
        self.beat.sessions.brought(sample)
        self.look()
        return stream

    def _take_orders(self) -> None:
        for order in self.channel.orders():
            self.orders.carry_out(order)

    def _take_reports(self) -> None:
        self._publish()
        self._handle.begin()
        for user, payload in self._reports.drain():
            self._handle.hear(user, payload)

    def _admit(self, user: str, token: str) -> bool:
        admitted = self.roster.admits(user, token)
        if admitted:
            self._refused.discard(user)
        elif user not in self._refused and len(self._refused) < MOST_REFUSED:
            self._refused.add(user)  # it tries again and again, and is told once
            self.event("connection_refused", f"{user[:80]!r} has no right to connect")
        return admitted

    # ---- time -----------------------------------------------------------------------------------
    def event_now(self, monotonic: int) -> int:
        """Event time of the engine: the newest feed clock, the wall clock before the first tick."""
        return max((feed.clock.now(monotonic) for feed in self.feeds.values()), default=0) or time.time_ns()

    # ---- outputs --------------------------------------------------------------------------------
    def _finish(self) -> None:
        """Journal, then acknowledge, then out."""
        outcomes, self._outcomes = self._outcomes, []
        self._commits_at = NEVER
        for outcome in outcomes:
            self.journal.append(outcome.records)
        self.journal.commit()
        for outcome in outcomes:
            for deployment_id, generation, body in outcome.commands:
                self.publication.command(deployment_id, generation, body)
        self.publication.flush()
        for outcome in outcomes:
            self.outlet.send(outcome)
            self.trading.send(outcome)
            for judged in outcome.passed:
                self.saving.accepted(judged.deployment_id, time.monotonic_ns())
            for kind, detail, deployment_id in outcome.events:
                self.event(kind, detail, deployment_id)

    def take(self, outcome: Outcome) -> None:
        """Keep an outcome for the commit at the end of this turn."""
        self._outcomes.append(outcome)
        self._commits_at = 0

    def published(self, symbols: Iterable[str]) -> int:
        """How many ticks of ``symbols`` were published so far."""
        return sum(self.market.streams[symbol].published for symbol in symbols)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something once this turn is in the journal."""
        self._afterwards.append(act)

    def settle(self) -> None:
        """Commit, and send, what was decided so far in this turn."""
        if self._outcomes:
            self._finish()

    def command(self, deployment_id: str, generation: int, body: CommandBody) -> None:
        """Send one command to one cell, behind whatever was decided before."""
        self.settle()
        self.publication.command(deployment_id, generation, body)

    def event(self, kind: str, detail: str, deployment_id: str = "", generation: int = 0) -> None:
        """Tell the supervisor something for the event log."""
        self.channel.tell(EngineEvent(kind, detail[:2000], deployment_id, generation))

    def publish_status(self, status: FeedStatus) -> None:
        """Tell cells how a feed is, behind what it brought before."""
        self.market.flush()
        self.publication.publish(topics.feed(status.feed) + encode(status))
        self.look()  # an outage that is over lets the timer close again
        self.event("feed_" + status.state, f"feed {status.feed}: {status.detail or status.state}")
        if status.state != "gap" and not status.symbols:
            feed = self.feeds.get(status.feed)
            brought = list(feed.streams) if feed is not None else []
            healthy = status.state == "healthy"
            turned = FeedTurned(status.feed, healthy, status.detail or status.state, brought)
            heard = feed is not None and feed.intake.heard
            self.turning.turned(turned, time.monotonic_ns(), heard=heard)

    def close(self) -> None:
        """Close the sockets, giving the outward ones a second, and the journal."""
        for name in list(self.feeds):
            self.close_feed(name)
        self.market_socket.close(500)
        self.outlet.close()
        for socket in (self._gate, self._reports):
            socket.close()
        self.hub.close()
        self.journal.close()
        self.history.close()
        self.publication.tape.close()
