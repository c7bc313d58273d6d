"""How trading is set up, in the engine: what the configuration says, latches, live orders, accounts.

Rules of this file. What it goes by lies in a file beside the journal (supervisor/store/trading_file.py): an
engine that starts sees ticks again before anybody has configured it, and has to fill by the same terms. What
an operator asks is answered once it is in the journal. A live order goes out after its record, and again
after every restart: whether it had gone before is for its route to find out (supervisor/routes/).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bus.messages import DECODE_ERRORS
from bus.sessions import SessionCalendar, always
from strategies.trading.accounts import exposure
from strategies.trading.routing import Report
from strategies.trading.setup import Setup
from strategies.trading.turn import Outcome, Sending
from supervisor.store import trading_file
from supervisor.trading_control import (
    AccountRow,
    Clearances,
    Flooded,
    HoldingRow,
    OrderReport,
    Rearm,
    RouteOrder,
    SetLatch,
    TradingAnswer,
    TradingSpec,
)

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

ROUND_THE_CLOCK = always()


class Trading:
    """Between the supervisor and the core."""

    def __init__(self, engine: Engine, kept_in: Path) -> None:
        self._engine = engine
        self._file = kept_in
        self._digest = ""
        self._calendars: dict[str, SessionCalendar] = {}
        self._told = False
        self._cleared_until = 0

    # ---- how it is set up -------------------------------------------------------------------------
    def recall(self) -> None:
        """Go by what the engine before this one went by, until this one is told."""
        if self._file.exists():
            self._load()

    def configure(self, digest: str) -> None:
        """Go by the file with ``digest`` from now on; at first, tell the routes of what waits with them."""
        if digest != self._digest:
            self._load()
        if not self._told:
            self._told = True
            for order in self._engine.core.world.state.broker.everything():
                if order.route:
                    self._route(Sending(order, cancel=order.cancelling), again=True)

    def _load(self) -> None:
        try:
            spec, self._digest = trading_file.read(self._file)
        except (OSError, *DECODE_ERRORS) as error:
            why = f"{self._file} cannot be read, and what was known before counts: {error}"
            self._engine.event("trading_setup_unreadable", why)
            return
        self._set(spec)

    def _set(self, spec: TradingSpec) -> None:
        setup = Setup(
            instruments=spec.instruments,
            accounts=spec.accounts,
            paper=spec.paper,
            live=spec.live,
            remote_risk=spec.remote_risk,
            approval_timeout=spec.approval_timeout,
            calendar=self._calendar,
        )
        self._engine.core.configure(setup)

    def _calendar(self, symbol: str) -> SessionCalendar:
        """Return the calendar of the feed that brings a symbol, or brought it last."""
        stream = self._engine.market.streams.get(symbol)
        if stream is not None and stream.source is not None:
            self._calendars[symbol] = stream.source.calendar
        return self._calendars.get(symbol, ROUND_THE_CLOCK)

    # ---- what operators and routes say ------------------------------------------------------------
    def latch(self, order: SetLatch) -> None:
        """Bar a deployment or an account."""
        party = order.scope, order.name
        now = self._engine.event_now(time.monotonic_ns())
        outcome = self._engine.core.latch(party, order.kind, order.reason, order.by, now)
        self._answer(order.request, outcome, order)

    def rearm(self, order: Rearm) -> None:
        """Take a latch back."""
        core, party = self._engine.core, (order.scope, order.name)
        set_now = core.latched(party)
        if order.only and set_now is not None and set_now.kind != order.only:
            self._answer(order.request, Outcome(), order)
            return
        now = self._engine.event_now(time.monotonic_ns())
        self._answer(order.request, core.rearm(party, order.reason, order.by, now), order)

    def report(self, report: OrderReport) -> None:
        """Enter what a route says of a live order."""
        said = Report(**msgspec.structs.asdict(report))
        self._engine.take(self._engine.core.on_report(said, self._engine.event_now(time.monotonic_ns())))

    def clear(self, order: Clearances, monotonic: int) -> None:
        """Go by what the remote risk service says, for as long as it counts."""
        self._cleared_until = monotonic + int(order.lasts * 1e9)
        self._engine.core.clear(order.accounts)

    def look(self, monotonic: int) -> None:
        """Forget what counts no more: once a second. Then live entries fail closed."""
        if self._cleared_until and monotonic >= self._cleared_until:
            self._cleared_until = 0
            self._engine.core.clear({})
            self._engine.event("clearance_lapsed", "nobody says any more what the remote risk service says")

    def _answer(self, request: int, outcome: Outcome, order: SetLatch | Rearm) -> None:
        engine = self._engine
        engine.take(outcome)

        def answer() -> None:
            latch = engine.core.latched((order.scope, order.name))
            engine.journal.post()
            engine.channel.tell(TradingAnswer(request, changed=bool(outcome.records), latch=latch))

        engine.after_commit(answer)

    # ---- what goes out ----------------------------------------------------------------------------
    def send(self, outcome: Outcome) -> None:
        """After the commit: live orders to their routes, floods to the supervisor."""
        for sending in outcome.sends:
            self._route(sending)
        for flood in outcome.floods:
            self._engine.channel.tell(Flooded(*flood))

    def _route(self, sending: Sending, *, again: bool = False) -> None:
        order = sending.order
        there = self._engine.core.world.setup.instrument(order.symbol).at(order.route)
        self._engine.channel.tell(RouteOrder(order, there, again=again, cancel=sending.cancel))

    # ---- what others are shown --------------------------------------------------------------------
    def accounts(self) -> list[AccountRow]:
        """Return every account that is configured, traded for, or has a ledger; by name."""
        world = self._engine.core.world
        names = {*world.setup.accounts, *world.state.books.accounts()}
        names |= {member.attach.account_id for member in self._engine.roster.members()}
        return [self._account(name) for name in sorted(names)]

    def holdings(self) -> list[HoldingRow]:
        """Return what deployments have that no instance is attached of, if only a latch; by name."""
        core, roster = self._engine.core, self._engine.roster
        state = core.world.state
        names = dict.fromkeys(one.deployment_id for one in state.books.everything())
        names |= dict.fromkeys(name for scope, name in state.latches if scope == "deployment")
        return [
            HoldingRow(
                deployment_id=name,
                positions=core.positions(name),
                equity=core.world.money(("deployment", name)).equity,
                latch=core.latched(("deployment", name)),
                guards=core.guards(name),
            )
            for name in names
            if roster.current(name) is None
        ]

    def _account(self, name: str) -> AccountRow:
        core = self._engine.core
        world, party = core.world, core.account(name)
        terms, ledger = world.setup.account(name), world.ledger(party)
        money = world.money(party)
        held = exposure(ledger, price=world.prices.price, rates=world.rates, currency=terms.currency)
        figures = core.figures(party)
        equity = world.equity(party)
        start = figures.start_equity
        return AccountRow(
            name=name,
            currency=terms.currency,
            capital=terms.capital,
            realised=money.realised,
            unrealised=money.unrealised,
            fees=money.fees,
            equity=money.equity,
            exposure=held.gross,
            net_exposure=held.net,
            day=figures.day,
            day_profit=None if equity is None or start is None else equity - start,
            peak_equity=figures.peak_equity,
            orders_today=figures.orders,
            open_positions=len(ledger.open),
            latch=core.latched(party),
        )
