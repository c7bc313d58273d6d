"""What the supervisor orders, carried out: feeds, and the coming and going of instances."""

from __future__ import annotations

import time
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from bus import sessions, timeframes
from bus.messages import CommandBody, Parameters, Pause, Resume, Stop
from bus.timeline import Synthetic
from strategies.trading.core import Grant
from supervisor.cell_control import CommandCell, InspectCell, SaveCell
from supervisor.control import (
    Attach,
    ClearState,
    Configure,
    Detach,
    Direct,
    EngineOrder,
    Expect,
    FeedSpec,
    Forget,
    Forgotten,
    GiveParameters,
    RefuseState,
    RestoreState,
    ShutDown,
)
from supervisor.engine.feeds import NANOS, FeedKnown, FeedPort
from supervisor.engine.resume import gone, no_timers
from supervisor.trading_control import (
    AnswerSignal,
    Clearances,
    OrderReport,
    Rearm,
    SetLatch,
    TakeAlert,
)

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine


class Orders:
    """Dispatch by type; every order is idempotent, so that it can be repeated after a restart."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calendars: dict[str, sessions.SessionCalendar] = {}
        self._unopened: dict[str, tuple[FeedSpec, Synthetic]] = {}
        self.known: dict[str, FeedKnown] = {}
        """What is known of feeds that are not open yet, from before: each is given it when it is opened."""
        self._expected: dict[str, list[str]] = {}
        """Symbols that are kept for deployments which are to run, by their id."""

    def carry_out(self, order: EngineOrder) -> None:
        """Do what one order says."""
        self._do(order)

    @singledispatchmethod
    def _do(self, order: object) -> None:
        raise TypeError(f"no such order: {order!r}")

    @_do.register
    def _configure(self, order: Configure) -> None:
        """Open, close and keep feeds, and the way out, so that they are as the configuration says."""
        engine = self._engine
        engine.outlet.configure(order.signals)
        engine.saving.every = int(order.checkpoint_every * NANOS)
        engine.trading.configure(order.trading)
        self._calendars = order.calendars
        wanted = {spec.name: spec for spec in order.feeds}
        self._unopened = {name: one for name, one in self._unopened.items() if wanted.get(name) == one[0]}
        for name in [name for name, feed in engine.feeds.items() if wanted.get(name) != feed.spec]:
            feed, spec = engine.feeds[name], wanted.get(name)
            engine.close_feed(name)
            if spec is not None:
                self._reopen(feed, spec)
        for name, spec in wanted.items():
            if name not in engine.feeds:
                self._open(spec, order.synthetic)
        self.known = {name: known for name, known in self.known.items() if name in wanted}
        engine.market.abandon(wanted)

    def _reopen(self, feed: FeedPort, spec: FeedSpec) -> None:
        """Hand on what a feed that is set otherwise knows, unless it is another now; see to its candles."""
        if spec.endpoint == feed.spec.endpoint and spec.format == feed.spec.format:
            self.known[spec.name] = feed.snapshot()
        if (spec.price, spec.calendar) == (feed.spec.price, feed.spec.calendar):
            return
        for stream in feed.streams.values():
            stream.renew()
        self._engine.event(
            "feed_candles_anew",
            f"feed {spec.name}: price {feed.spec.price}, calendar {feed.spec.calendar or '24x7'} became"
            f" {spec.price}, {spec.calendar or '24x7'}: candles of {len(feed.streams)} symbols begin anew",
        )

    def _open(self, spec: FeedSpec, synthetic: Synthetic) -> None:
        """Open a feed, or have it tried again: a port may be taken now, and free later."""
        engine, calendar = self._engine, self._calendars.get(spec.calendar) or sessions.always()
        known = self.known.get(spec.name)
        try:
            feed = FeedPort(engine.hub, spec, calendar, synthetic, tell=engine.event, known=known)
        except OSError as error:
            if spec.name not in self._unopened:
                self._unopened[spec.name] = spec, synthetic
                engine.event(
                    "feed_failed", f"feed {spec.name}: {error.strerror or error}; it is tried every second"
                )
            return
        self.known.pop(spec.name, None)
        if self._unopened.pop(spec.name, None) is not None:
            engine.event("feed_opened", f"feed {spec.name}: open at last")
        engine.open_feed(feed)

    def retry(self) -> None:
        """Try again to open what could not be opened: once a second."""
        for spec, synthetic in list(self._unopened.values()):
            self._open(spec, synthetic)

    @_do.register
    def _attach(self, order: Attach) -> None:
        """Expect an instance: grant it, and start to build what it reads."""
        engine = self._engine
        known = engine.roster.find(order.deployment_id, order.generation)
        if known is not None and known.attach == order:
            return  # said again to an engine that is new: it may run by now, and is counted from its start
        fenced = engine.roster.attach(order)
        if fenced is not None:
            engine.saving.gone(order.deployment_id)
            engine.questions.gone(order.deployment_id, fenced.generation)
            self._release(fenced.attach)
        if order.begun == order.generation:
            engine.timers.forget(order.deployment_id)
            engine.beat.sessions.drop(order.deployment_id)
            engine.publication.publish(no_timers(order.deployment_id))
        engine.core.attach(
            Grant(
                deployment_id=order.deployment_id,
                generation=order.generation,
                strategy=order.strategy,
                version=order.version,
                code_hash=order.code_hash,
                account_id=order.account_id,
                trading_mode=order.trading_mode,
                symbols=order.symbols,
                timeframes=order.timeframes,
                risk=order.risk,
                signals_per_s=order.signals_per_s,
            )
        )
        if order.trading_mode == "live":
            engine.journal.use_full_sync()
        engine.timers.reads(order.deployment_id, order.symbols)
        self._want(order.symbols, order.timeframes)

    @_do.register
    def _expect(self, order: Expect) -> None:
        """Publish what a deployment reads, and so keep it on the tape, between two of its instances too."""
        before = self._expected.pop(order.deployment_id, [])
        if order.symbols:
            self._expected[order.deployment_id] = order.symbols
            self._engine.timers.reads(order.deployment_id, order.symbols)
            self._want(order.symbols, order.timeframes)
        elif self._engine.roster.current(order.deployment_id) is None:
            self._disarm(order.deployment_id)
        for symbol in before:
            self._engine.market.unwant(symbol)

    def _want(self, symbols: list[str], names: list[str]) -> None:
        wanted = [timeframes.parse(text) for text in names]
        for symbol in symbols:
            self._engine.market.want(symbol, wanted)
        self._engine.look()

    def _disarm(self, deployment_id: str) -> None:
        self._engine.timers.disarm(deployment_id)
        self._engine.beat.sessions.drop(deployment_id)

    def first_symbol(self, deployment_id: str) -> str | None:
        """Return the first symbol of a deployment that is to run, None for any other."""
        return next(iter(self._expected.get(deployment_id, [])), None)

    def _release(self, attach: Attach) -> None:
        for symbol in attach.symbols:
            self._engine.market.unwant(symbol)

    @_do.register
    def _detach(self, order: Detach) -> None:
        member = self._engine.roster.detach(order.deployment_id, order.generation)
        if member is not None:
            self._engine.core.detach(order.deployment_id, order.generation)
            if order.deployment_id not in self._expected:
                self._disarm(order.deployment_id)
            self._engine.saving.gone(order.deployment_id)
            self._engine.questions.gone(order.deployment_id, order.generation)
            self._release(member.attach)

    @_do.register
    def _direct(self, order: Direct) -> None:
        """Bar the gate first, then tell the cell: no signal can slip between."""
        engine = self._engine
        member = engine.roster.find(order.deployment_id, order.generation)
        if member is None:
            return
        engine.core.direct(
            order.deployment_id, order.generation, order.verb, order.reason, exit_only=order.exit_only
        )
        body: CommandBody
        if order.verb == "stop":
            # The gate lets last exits through only if asked to; then the cell is asked for them.
            body = Stop(order.reason, ask=order.exit_only)
        else:
            pause = order.verb == "pause"
            body = member.directed = Pause(order.reason, order.exit_only) if pause else Resume()
        engine.market.flush()
        engine.command(order.deployment_id, order.generation, body)

    @_do.register
    def _give_parameters(self, order: GiveParameters) -> None:
        """Publish them behind what was published, so that who is told all of it again has them in place."""
        if self._engine.roster.find(order.deployment_id, order.generation) is not None:
            self._engine.market.flush()
            self._engine.command(order.deployment_id, order.generation, Parameters(order.parameters))

    @_do.register
    def _forget(self, order: Forget) -> None:
        engine = self._engine
        engine.settle()
        engine.timers.drop(order.deployment_id)
        engine.beat.sessions.drop(order.deployment_id)
        engine.publication.numbers.pop(order.deployment_id, None)
        engine.publication.publish(gone(order.deployment_id))
        engine.take(engine.core.forget(order.deployment_id, engine.event_now(time.monotonic_ns())))

        def forgotten() -> None:
            engine.journal.forget(order.deployment_id)
            engine.channel.tell(Forgotten(order.deployment_id))

        engine.after_commit(forgotten)  # what was judged in this very turn goes too

    @_do.register
    def _refuse_state(self, order: RefuseState) -> None:
        self._engine.states.refuse(order)

    @_do.register
    def _restore_state(self, order: RestoreState) -> None:
        self._engine.states.restore(order)

    @_do.register
    def _clear_state(self, order: ClearState) -> None:
        self._engine.states.clear(order)

    @_do.register
    def _set_latch(self, order: SetLatch) -> None:
        self._engine.trading.latch(order)

    @_do.register
    def _rearm(self, order: Rearm) -> None:
        self._engine.trading.rearm(order)

    @_do.register
    def _answer_signal(self, order: AnswerSignal) -> None:
        self._engine.approvals.answer(order)

    @_do.register
    def _take_alert(self, order: TakeAlert) -> None:
        self._engine.alerts.take(order)

    @_do.register
    def _command_cell(self, order: CommandCell) -> None:
        self._engine.questions.command(order)

    @_do.register
    def _inspect_cell(self, order: InspectCell) -> None:
        self._engine.questions.inspect(order)

    @_do.register
    def _save_cell(self, order: SaveCell) -> None:
        self._engine.questions.save(order)

    @_do.register
    def _order_report(self, order: OrderReport) -> None:
        self._engine.trading.report(order)

    @_do.register
    def _clearances(self, order: Clearances) -> None:
        self._engine.trading.clear(order, time.monotonic_ns())

    @_do.register
    def _shut_down(self, _order: ShutDown) -> None:
        self._engine.stopping = True
