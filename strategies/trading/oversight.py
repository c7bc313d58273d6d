"""Limits of loss, as prices move: days that begin, peaks, breaches, and the latches that follow.

Every price of a symbol that somebody holds is looked at, for each deployment and account that a limit of
equity binds. A peak that only moves is no record, which would be a write a tick: it is kept in memory,
written down at each mark of the tape (``moved``), and made again after a crash from the ticks since. What
begins or ends something (a day, a locked profit, a breach) is a record at once.
"""

from __future__ import annotations

from msgspec.structs import replace

from strategies.trading import risk
from strategies.trading.approvals import Approvals
from strategies.trading.dealing import Dealing
from strategies.trading.exits import Exits
from strategies.trading.figures import Figures
from strategies.trading.latches import EFFECTS, Latch, LatchKind, stronger
from strategies.trading.orders import Order
from strategies.trading.records import Executed, Latched, Measured, Rearmed
from strategies.trading.turn import Outcome, Turn
from strategies.trading.world import Party, World


class Oversight:
    """Knows whom the price of a symbol binds. Say ``changed`` when holdings, limits or accounts did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bound: dict[str, list[Party]] | None = None
        self._live: dict[Party, Figures] = {}
        """Figures whose peak has moved since they were written down."""
        self._dealt: dict[Party, int] = {}
        self.days_end = 0
        """When the first trading day of an account ends, event time in ns: then ``days`` has to be asked."""

    def configured(self) -> None:
        """Know that accounts or limits may be others from now on, and their days, too."""
        self.days_end = 0
        self.changed()

    def changed(self) -> None:
        """Find out anew who is bound by what."""
        self._bound = None

    def figures(self, party: Party) -> Figures:
        """Return the figures of a party as they stand, its peak included."""
        kept = self._world.state.measures(*party)
        live = self._live.get(party)
        if live is None:
            return kept
        return replace(kept, peak_equity=live.peak_equity)

    def binds(self, symbol: str) -> bool:
        """Whether the price of ``symbol`` binds anybody: asked for every tick."""
        if self._bound is None:
            self._bound = self._find()
        return symbol in self._bound

    def dealt(self, deployment_id: str, account_id: str, at: int) -> None:
        """Know that a party dealt at event time ``at``: what it holds since it did not hold before."""
        parties: tuple[Party, ...] = (("deployment", deployment_id), ("account", account_id))
        for party in parties:
            self._dealt[party] = max(self._dealt.get(party, 0), at)

    def forget(self, party: Party) -> None:
        """Drop what is not written down of a party that is gone: another of its name begins anew."""
        self._live.pop(party, None)
        self._dealt.pop(party, None)
        self.changed()

    def look(self, turn: Turn, symbol: str, seen_at: int | None = None) -> None:
        """Judge those whom the price of ``symbol`` binds, and who has dealt in this turn, if only to be flat.

        ``seen_at`` is the event time of a price that is seen again after a crash: what was dealt later was
        not held at it, so it says nothing of whoever dealt.
        """
        parties = list((self._bound or {}).get(symbol, ())) if self.binds(symbol) else []
        parties += [party for party in self._dealers(turn) if party not in parties]
        for party in parties:
            if seen_at is None or seen_at > self._dealt.get(party, 0):
                self.judge(turn, party)

    def _dealers(self, turn: Turn) -> list[Party]:
        fills = [record.fill for record in turn.out.records if type(record) is Executed]
        dealers: list[Party] = []
        for fill in fills:
            dealers += [("account", fill.account_id), ("deployment", fill.deployment_id)]
        return [party for party in dict.fromkeys(dealers) if self._wants_a_look(party)]

    def _wants_a_look(self, party: Party) -> bool:
        """Whether a limit is judged by what it dealt, or its day began before its equity could be known.

        The day of an account begins with its first order, which is before its first price. Where nothing is
        measured again, people would be told nothing of that day.
        """
        if self._world.limits(party).needs_equity:
            return True
        figures = self.figures(party)
        unknown = bool(figures.day) and figures.start_equity is None
        return unknown and party[0] == "account" and self._world.account_of(party).capital is not None

    def judge(self, turn: Turn, party: Party) -> None:
        """Look at the equity of one party: its day, its peak, its limits."""
        world = self._world
        limits = world.limits(party)
        equity = world.equity(party)
        before = self.figures(party)
        day = world.day(world.account_of(party).name, turn.now)
        now = risk.new_day(before, day, equity) if day > before.day else risk.peak(before, equity)
        now = risk.locked(limits, now, equity)
        if now is not before:
            if replace(now, peak_equity=before.peak_equity) != before:
                self._measure(turn, party, now)
            else:
                self._live[party] = now
        if not limits.needs_equity:
            return
        breach = risk.assess(limits, now, equity)
        if breach is not None:
            self.latch(turn, party, breach.kind, breach.rule, breach.detail)

    def prepare(self, turn: Turn, deployment_id: str) -> None:
        """Before signals are judged: have the figures of today, also of who holds nothing."""
        account = self._world.state.desk(deployment_id).grant.account_id
        parties: tuple[Party, ...] = (("deployment", deployment_id), ("account", account))
        for party in parties:
            limits = self._world.limits(party)
            if limits.needs_equity or limits.max_orders_per_day is not None:
                self.judge(turn, party)

    def days(self, turn: Turn) -> Outcome:
        """Begin the day of each account that has a ledger, also where no limit needs it: for people.

        And of whoever a limit binds while it holds something: what the first price of the day takes is lost
        on that day. Returns what ``turn`` brought about.
        """
        world = self._world
        if self._bound is None:
            self._bound = self._find()
        parties: list[Party] = [("account", name) for name in world.state.books.accounts()]
        parties += [party for bound in self._bound.values() for party in bound]
        for party in dict.fromkeys(parties):
            if world.day(world.account_of(party).name, turn.now) > self.figures(party).day:
                self.judge(turn, party)
        self.days_end = world.days_end(turn.now)
        return turn.out

    def moved(self, turn: Turn) -> None:
        """Write down the peaks that have moved since they were written down last."""
        for party in list(self._live):
            self._measure(turn, party, self.figures(party))

    # ---- latches ----------------------------------------------------------------------------------
    def latch(
        self, turn: Turn, party: Party, kind: LatchKind, rule: str, reason: str, *, operator: bool = False
    ) -> bool:
        """Set a latch and do what it demands; False if one that is as strong is set already."""
        scope, name = party
        state = self._world.state
        latch = Latch(
            scope=scope,
            name=name,
            kind=kind,
            rule=rule,
            reason=reason,
            at=turn.now,
            by="operator" if operator else "limit",
            seq=state.seq + 1,
        )
        if stronger(state.latches.get(party), latch) is None:
            return False
        turn.write(Latched, latch=latch)
        owner = name if scope == "deployment" else ""
        who = f"{scope} {name}"
        turn.note("latched", f"{who} is latched ({kind}) by {rule}: {reason}", owner)
        self._demand(turn, latch)
        return True

    def rearm(self, turn: Turn, party: Party, by: str, reason: str) -> bool:
        """Take a latch back: loss and drawdown count from here. False if none is set."""
        scope, name = party
        state = self._world.state
        if party not in state.latches:
            return False
        turn.write(Rearmed, scope=scope, name=name, by=by, reason=reason)
        figures = risk.rearmed(self.figures(party), self._world.equity(party))
        self._measure(turn, party, figures)
        turn.note("rearmed", f"{scope} {name} by {by}: {reason}", name if scope == "deployment" else "")
        return True

    def _demand(self, turn: Turn, latch: Latch) -> None:
        """Cancel what waits and close what is held, as far as the kind of latch says."""
        world, effect = self._world, EFFECTS[latch.kind]
        state, dealing = world.state, Dealing(turn, world)
        for order in state.broker.everything():
            owner = order.account_id if latch.scope == "account" else order.deployment_id
            if owner != latch.name or order.role != "signal":
                continue
            if effect.cancels == "entries" and order.reduce_only:
                continue
            dealing.cancel(order, f"{latch.scope} {latch.name} was latched ({latch.kind})")
        why = f"{latch.scope} {latch.name} was latched ({latch.kind})"
        Approvals(turn, world).end_all((latch.scope, latch.name), why)  # every kind of latch ends entries
        if effect.closes:
            self._close(turn, latch, latch.seq)

    def insist(self, turn: Turn, party: Party, kind: LatchKind) -> None:
        """Close what is held and on no way out, where an operator asks again for what is set already.

        A venue may have rejected the exit of the first time, or the position may have come since.
        """
        latch = self._world.state.latches.get(party)
        if latch is not None and EFFECTS[latch.kind].closes and EFFECTS[kind].closes:
            self._close(turn, latch, self._world.state.seq + 1)

    def _close(self, turn: Turn, latch: Latch, key: int) -> None:
        world, state = self._world, self._world.state
        names = [latch.name] if latch.scope == "deployment" else world.deployments_of(latch.name)
        for name in names:
            for position in state.books.of_deployment(name):
                account = position.account_id or state.desk(name).grant.account_id
                if position.quantity and (latch.scope == "deployment" or account == latch.name):
                    at = max(world.prices.at(position.symbol), 1)
                    why = f"{latch.scope} {latch.name}: {latch.rule}"
                    Exits(turn, world).exit(name, position.symbol, "flatten", why, key=key, at=at)

    def exit_failed(self, turn: Turn, order: Order, status: str, detail: str) -> None:
        """Call a person where an exit of the engine has not closed all: nothing guards what is left."""
        held = self._world.state.books.held(order.deployment_id, order.symbol)
        if order.role == "signal" or not held:
            return
        why = f"the engine's exit ({order.role}) from {held:g} {order.symbol} was {status}: {detail}"
        turn.note("exit_failed", why, order.deployment_id)
        self.latch(turn, ("deployment", order.deployment_id), "exit_only", "exit_failed", why)

    def close_behind(self, turn: Turn, order: Order) -> None:
        """Close what a live order brought that filled while a latch, which closes all, took it back."""
        world = self._world
        owner, symbol = order.deployment_id, order.symbol
        parties: tuple[Party, ...] = (("account", order.account_id), ("deployment", owner))
        for scope, name in parties:
            latch = world.state.latches.get((scope, name))
            if latch is not None and EFFECTS[latch.kind].closes:
                at = max(world.prices.at(symbol), 1)
                why = f"{scope} {name}: {latch.rule}; it filled behind that"
                Exits(turn, world).exit(owner, symbol, "flatten", why, key=world.state.seq, at=at)
                return

    # ---- inside -----------------------------------------------------------------------------------
    def _measure(self, turn: Turn, party: Party, figures: Figures) -> None:
        turn.write(Measured, figures=figures)
        self._live.pop(party, None)

    def _find(self) -> dict[str, list[Party]]:
        """Return by symbol the parties whose equity its price moves: holders, and who needs its rate."""
        world = self._world
        bound: dict[str, list[Party]] = {}
        for party in self._parties():
            held = world.ledger(party).open
            currency = world.account_of(party).currency
            symbols = {position.symbol for position in held}
            if any(position.currency not in {"", currency} for position in held):
                symbols |= {one.symbol for one in world.setup.instruments.known.values() if one.base}
            for symbol in sorted(symbols):
                bound.setdefault(symbol, []).append(party)
        return bound

    def _parties(self) -> list[Party]:
        """Return the accounts and deployments that hold something and that a limit of equity binds."""
        state = self._world.state
        holders = [position for position in state.books.everything() if position.quantity]
        accounts = {one.account_id or state.desk(one.deployment_id).grant.account_id for one in holders}
        names = {one.deployment_id for one in holders}
        parties: list[Party] = [("account", name) for name in sorted(accounts)]
        parties += [("deployment", name) for name in sorted(names)]
        return [party for party in parties if self._world.limits(party).needs_equity]
