"""The one door of the trading core: commands, signals and ticks in; records, answers and orders out.

Nothing here does IO or asks a clock: ``now`` (ns) is an argument, and the same calls in the same order
give the same outputs, byte for byte. The caller journals ``Outcome.records`` before it sends anything
else of the outcome: journal, then ack, then out. Should the journal fail, the core is ahead of the disk;
then the caller acts no further and starts again from what the journal recovers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bus.messages import Candle, Checkpoint, Position, Signal, Tick
from strategies.trading.approvals import Approvals
from strategies.trading.dealing import Dealing
from strategies.trading.desk import Desk, Grant, Standing, Verb
from strategies.trading.execution import WHY, Match
from strategies.trading.exits import Exits
from strategies.trading.figures import Figures
from strategies.trading.gate import judge
from strategies.trading.identity import idempotency_key
from strategies.trading.latches import Latch, LatchKind
from strategies.trading.oversight import Oversight
from strategies.trading.prices import Prices
from strategies.trading.protection import Guard
from strategies.trading.recent import Buckets
from strategies.trading.records import Forgotten, Guarded, Judged, Record, Saved, Snapshot, Tally
from strategies.trading.routing import Report, settle
from strategies.trading.rules import RULES
from strategies.trading.setup import Setup
from strategies.trading.state import State
from strategies.trading.ttl import SECOND
from strategies.trading.turn import Outcome, Turn, joined
from strategies.trading.view import Clearance, Verdict
from strategies.trading.viewing import Viewing
from strategies.trading.world import Party, World

__all__ = ["Core", "Grant", "Outcome"]

RATE_STEP: Final = RULES["rate"].step


class Core:
    """Gate, paper broker and books behind one door. ``seed`` tells the ids of two journals apart."""

    def __init__(self, *, seed: int = 0, setup: Setup | None = None) -> None:
        self._seed = seed
        self._begin(World(State(), setup or Setup(), Prices()))

    def _begin(self, world: World) -> None:
        self._world = world
        self._state = world.state
        self._oversight = Oversight(self._world)
        self._buckets = Buckets()
        self._viewing = Viewing(self._world, self._oversight, self._buckets)

    # ---- what the supervisor decides --------------------------------------------------------------
    def configure(self, setup: Setup) -> None:
        """Go by other instruments, accounts or terms from now on."""
        self._world.configure(setup)
        self._oversight.configured()

    def clear(self, accounts: Mapping[str, Clearance]) -> None:
        """Go by what the remote risk service says of accounts; one that is not named is unreachable."""
        self._world.cleared = accounts

    def attach(self, grant: Grant) -> None:
        """Expect signals of this instance, once it is warm; every older generation is fenced out."""
        self._state.desk(grant.deployment_id).attach(grant)
        self._oversight.changed()

    def detach(self, deployment_id: str, generation: int) -> None:
        """Accept nothing more from this instance. Its orders and positions stay."""
        if desk := self._current(deployment_id, generation):
            desk.standing = Standing.GONE

    def running(self, deployment_id: str, generation: int) -> None:
        """Let the gate judge its signals from now on: the instance is warm."""
        if desk := self._current(deployment_id, generation):
            desk.warm = True

    def direct(self, deployment_id: str, generation: int, verb: Verb, reason: str, exit_only: bool) -> None:  # noqa: ARG002 - reason is for the cell and the event log, which are the caller's
        """Pause, resume or stop an instance, at once; ``exit_only`` lets exits through meanwhile."""
        if desk := self._current(deployment_id, generation):
            desk.direct(verb, exit_only)

    def forget(self, deployment_id: str, now: int) -> Outcome:
        """Drop a removed deployment: orders of its strategy are cancelled, counts and flat positions go.

        What it still holds is kept, since money does not vanish with a name; so are the engine's exits from
        it, and a live order until its venue has taken it back. Keys stay for their time.
        """
        turn, dealing = self._turn(now)
        for order in self._state.broker.everything():
            if order.deployment_id == deployment_id and order.role == "signal":
                dealing.cancel(order, "its deployment was removed")
        Approvals(turn, self._world).end_all(("deployment", deployment_id), "its deployment was removed")
        settled = self._state.books.settled()
        turn.write(Forgotten, deployment_id=deployment_id)
        dealing.settle(settled)
        self._oversight.forget(("deployment", deployment_id))
        return turn.out

    def latch(self, party: Party, kind: LatchKind, reason: str, by: str, now: int) -> Outcome:
        """Bar a deployment or an account by an operator's word; no records where it is so already.

        One that closes, said again, closes what is still held and on no way out.
        """
        turn, _ = self._turn(now)
        why = f"{reason or 'no reason given'} ({by})"
        if not self._oversight.latch(turn, party, kind, "operator", why, operator=True):
            self._oversight.insist(turn, party, kind)
        return turn.out

    def rearm(self, party: Party, reason: str, by: str, now: int) -> Outcome:
        """Take a latch back by an operator's word; no records where none is set."""
        turn, _ = self._turn(now)
        self._oversight.rearm(turn, party, by, reason or "no reason given")
        return turn.out

    def answer(self, signal_id: str, *, approve: bool, by: str, remark: str, now: int) -> Outcome:
        """Approve or deny a signal that waits for it, by the word of ``by``; no records where none does.

        One whose time is over lapses, whoever says what. One that is approved while no warm instance of its
        deployment runs goes on waiting. ``now`` is as for the judgement of such a signal.
        """
        turn, _ = self._turn(now)
        pending = self._state.pending.find(signal_id)
        if pending is not None and approve:
            self._oversight.prepare(turn, pending.deployment_id)  # which may find a latch to set
            pending = self._state.pending.find(signal_id)
        if pending is None:
            return turn.out
        approvals, desk = Approvals(turn, self._world), self._state.desk(pending.deployment_id)
        if now >= pending.until:
            approvals.lapse(pending)
        elif not approve:
            approvals.deny(pending, by, remark)
        elif desk.warm and desk.standing is not Standing.GONE:
            key = bytes.fromhex(pending.key)
            view = self._viewing.view(now, desk, desk.grant.generation, pending.signal, key)
            approvals.approve(pending, by, remark, view)
        return turn.out

    # ---- what cells send --------------------------------------------------------------------------
    def on_signals(self, deployment_id: str, generation: int, signals: list[Signal], now: int) -> Outcome:
        """Judge the signals of one callback, in order; each sees what the ones before it did."""
        turn, dealing = self._turn(now)
        desk = self._state.desk(deployment_id)
        account, approvals = desk.grant.account_id, Approvals(turn, self._world)
        self._oversight.prepare(turn, deployment_id)
        for signal in signals:
            key = idempotency_key(deployment_id, signal)
            verdict = judge(signal, self._viewing.view(now, desk, generation, signal, key), now)
            if verdict.passed or RULES[verdict.rule].step > RATE_STEP:
                desk.rate.take()
                self._buckets.take(account)
            passed, verdict = verdict.passed, approvals.heed(desk, signal, verdict)
            if passed or desk.may_list(now):
                judged = turn.judged(desk, generation, signal, key.hex(), verdict)
                if verdict.passed:
                    self._carry_out(turn, dealing, judged, verdict)
            else:
                desk.withheld[generation, verdict.decision, verdict.rule] += 1
            self._note_flood(turn, desk, generation, verdict, now)
        if desk.withheld and now - desk.flushed_at >= SECOND:
            turn.sum_up(desk)
        return turn.out

    def _carry_out(self, turn: Turn, dealing: Dealing, judged: Judged, verdict: Verdict) -> None:
        signal = judged.signal
        if signal.intent == "cancel":
            for order in self._state.broker.cancellable(judged.deployment_id, signal.symbol, signal.leg):
                dealing.cancel(order, "the strategy cancelled it")
        elif signal.intent == "adjust":
            Exits(turn, self._world).adjust(signal, verdict, judged.deployment_id)
        elif verdict.quantity is not None:
            dealing.place(judged, verdict, verdict.quantity)

    def _note_flood(self, turn: Turn, desk: Desk, generation: int, verdict: Verdict, now: int) -> None:
        """Have an instance ended that has been over its rate for too long."""
        if desk.grant.generation == generation and (why := desk.flooding(verdict.rule == "rate", now)):
            turn.note("flood", why, desk.grant.deployment_id)
            turn.out.floods.append((desk.grant.deployment_id, generation, why))

    def on_checkpoint(self, deployment_id: str, generation: int, checkpoint: Checkpoint, now: int) -> Outcome:
        """Keep a strategy's state, behind every signal that it sent before; not that of a fenced one.

        ``now`` is of the wall clock.
        """
        turn, _ = self._turn(now)
        if self._current(deployment_id, generation):
            turn.save(deployment_id, generation, checkpoint)
        else:
            turn.note("stale_checkpoint", f"of generation {generation}: not kept", deployment_id)
        return turn.out

    def refuse_checkpoint(self, deployment_id: str, checkpoint: int, why: str, now: int) -> Outcome:
        """Mark the checkpoint of record ``checkpoint`` as bad; ``now`` is of the wall clock."""
        turn, _ = self._turn(now)
        turn.refuse(deployment_id, checkpoint, why)
        return turn.out

    def restore_checkpoint(self, saved: Saved, now: int) -> Outcome:
        """Make an older checkpoint the newest of its deployment; ``now`` is of the wall clock."""
        turn, _ = self._turn(now)
        turn.save(saved.deployment_id, saved.generation, saved.checkpoint)
        return turn.out

    def clear_checkpoints(self, deployment_id: str, now: int) -> Outcome:
        """Drop every checkpoint of a deployment; ``now`` is of the wall clock."""
        turn, _ = self._turn(now)
        turn.clear(deployment_id)
        return turn.out

    # ---- what the market does ---------------------------------------------------------------------
    def on_tick(self, tick: Tick, now: int) -> Outcome | None:
        """Let a tick fill, stop and close what it does; None at once when that is nothing."""
        begun = self._days(now) if now >= self._oversight.days_end else None
        return joined(begun, self._see(tick, now, self._world.prices.take(tick), fresh=True))

    def see_again(self, tick: Tick, number: int, now: int) -> Outcome | None:
        """Take tick ``number`` of its symbol anew: a crash may have come before its fills were kept.

        It does what it would have done to what was there before it came and still is.
        """
        begun = self._days(now) if now >= self._oversight.days_end else None
        self._world.prices.take_again(tick, number)
        return joined(begun, self._see(tick, now, number))

    def _days(self, now: int) -> Outcome:
        """Begin the days that a price is the first of, before it counts: as a pulse in between would have."""
        turn, _ = self._turn(now)
        return self._oversight.days(turn)

    def _see(self, tick: Tick, now: int, number: int | None, *, fresh: bool = False) -> Outcome | None:
        symbol, state = tick.symbol, self._state
        waits, guarded = state.broker.waits(symbol), state.guards.watches(symbol)
        if not (waits or guarded or self._oversight.binds(symbol)):
            return None
        turn, dealing = self._turn(now, of_tick=number is not None)
        if guarded:
            # What was held before this tick: first of all it is closed.
            for guard, role in state.guards.look(tick, now, None if fresh else number):
                Exits(turn, self._world).acted(guard, role, tick, tick.ts)
        for match in state.broker.match(tick, number, self._world.venue(), fresh=fresh):
            self._carry(turn, dealing, match)
        self._look(turn, tick, number, again=number is not None and not fresh)
        return turn.out if turn.out.records else None

    def _look(self, turn: Turn, tick: Tick, number: int | None, *, again: bool) -> None:
        """Judge the limits that the price binds; what is closed for them is filled by the same tick."""
        if turn.out.records:
            self._oversight.changed()
        before = len(turn.out.records)
        self._oversight.look(turn, tick.symbol, tick.ts if again else None)
        if len(turn.out.records) > before:
            # As if it came again: those that wait for another event have had it already.
            for match in self._state.broker.match(tick, number, self._world.venue()):
                if match.order.role == "flatten":
                    self._carry(turn, Dealing(turn, self._world), match)
            self._oversight.changed()

    def _carry(self, turn: Turn, dealing: Dealing, match: Match) -> None:
        """Enter what a tick did to an order; the books refuse one whose account has lost its route."""
        if not dealing.carry_out(match):
            self._oversight.exit_failed(turn, match.order, "refused", "by the books")

    def on_bar(self, candle: Candle, now: int) -> Outcome:
        """Let a closed candle fill and close what it does, where there are no ticks: in a backtest."""
        symbol = candle.symbol
        self._world.prices.take(Tick(symbol, candle.close_time, candle.close))
        turn, _ = self._turn(now)
        Exits(turn, self._world).by_bar(candle)
        self._oversight.changed()
        self._oversight.look(turn, symbol)
        return turn.out

    def last_ticks(self) -> list[Tick]:
        """Return the last tick of each symbol, for ``recall``."""
        return self._world.prices.everything()

    def recall(self, ticks: Iterable[Tick], numbers: Iterable[tuple[str, int]] = ()) -> None:
        """Know these as the last ticks of their symbols: after a crash their prices are still the last.

        ``numbers`` are those of the last ticks by symbol.
        """
        self._world.prices.recall(ticks, numbers)

    def on_price(self, symbol: str, price: float, at: int) -> Outcome | None:
        """Take a price of a feed that brings bars and no ticks: it does what a trade at it would do."""
        begun = self._days(at) if at >= self._oversight.days_end else None
        self._world.prices.set(symbol, price, at)
        return joined(begun, self._see(Tick(symbol, at, price), at, None))

    def dealt(self, deployment_id: str, account_id: str, at: int) -> None:
        """Know of a fill that the journal has, before ticks of about its time are seen again."""
        self._oversight.dealt(deployment_id, account_id, at)

    def set_price(self, symbol: str, price: float | None, at: int) -> None:
        """Take a price that came by no tick (a feed's bar); None makes it unknown, which bars entries."""
        self._world.prices.set(symbol, price, at)

    def pulse(self, now: int, clock: Callable[[str], int] | None = None) -> Outcome:
        """Do what time alone brings: ends of orders, time stops, square-offs. Call it once a second.

        ``clock`` tells the event time of a symbol; ``now`` is for all where it is not given.
        """
        turn, dealing = self._turn(now)
        for desk in self._state.desks.values():
            if desk.withheld:
                turn.sum_up(desk)
        at = clock or (lambda _: now)
        for symbol in sorted({order.symbol for order in self._state.broker.everything()}):
            for order in self._state.broker.expire(at(symbol), symbol):
                if order.route:  # its venue should have ended it; it may have traded, so that is to be asked
                    dealing.cancel(order, "its time is over")
                else:
                    dealing.end(order, "expired", WHY["expired"], status="expired")
        for guard, role in self._state.guards.due(at):
            Exits(turn, self._world).acted(guard, role, None, at(guard.symbol))
        return self._oversight.days(turn)

    def keep(self, now: int) -> Outcome:
        """Write down the peaks that have moved: before each mark of the tape."""
        turn, _ = self._turn(now)
        for guard in self._state.guards.moved(self._world.prices.number):
            turn.write(Guarded, guard=guard)
        self._oversight.moved(turn)
        return turn.out

    # ---- what routes say --------------------------------------------------------------------------
    def on_report(self, report: Report, now: int) -> Outcome:
        """Take what a route says of a live order: whole sums so far, so one said twice changes nothing."""
        turn, dealing = self._turn(now)
        settle(turn, dealing, self._world, self._oversight, report)
        if turn.out.records:
            self._oversight.changed()
            self._oversight.look(turn, report.symbol)
        return turn.out

    # ---- what others ask --------------------------------------------------------------------------
    @property
    def world(self) -> World:
        """What decisions are made from: to be read."""
        return self._world

    def positions(self, deployment_id: str) -> list[Position]:
        """Return its positions at the last known prices, flat ones with their profit too, by symbol."""
        return self._state.books.of(deployment_id, self._world.prices.price)

    def guards(self, deployment_id: str) -> list[Guard]:
        """Return what guards the positions of a deployment, as it stands."""
        found = (
            self._state.guards.of(deployment_id, one.symbol)
            for one in self._state.books.of_deployment(deployment_id)
        )
        return [guard for guard in found if guard is not None]

    def latched(self, party: Party) -> Latch | None:
        """Return the latch that is set on a deployment or an account."""
        return self._state.latches.get(party)

    def account(self, name: str) -> Party:
        """Return the party that an account is."""
        return "account", name

    def figures(self, party: Party) -> Figures:
        """Return the figures of a deployment or an account, as they stand."""
        return self._oversight.figures(party)

    def counts(self, deployment_id: str) -> Tally:
        """Return its verdicts so far, those of a flood not yet summed up included."""
        desk = self._state.desks.get(deployment_id)
        return Tally(deployment_id) if desk is None else desk.tally(with_withheld=True)

    def snapshot(self) -> Snapshot:
        """Return all that ``restore`` brings back."""
        return self._state.snapshot()

    def restore(self, records: Iterable[Record]) -> None:
        """Rebuild the state from the journal, ascending ``seq``; a ``Snapshot`` replaces what was before."""
        for record in records:
            if isinstance(record, Snapshot):
                self._begin(World(State.of(record), self._world.setup, self._world.prices))
            else:
                self._state.apply(record)
        self._oversight.changed()

    # ---- inside -----------------------------------------------------------------------------------
    def _turn(self, now: int, *, of_tick: bool = False) -> tuple[Turn, Dealing]:
        turn = Turn(self._state, self._seed, now, of_tick=of_tick)
        return turn, Dealing(turn, self._world)

    def _current(self, deployment_id: str, generation: int) -> Desk | None:
        desk = self._state.desks.get(deployment_id)
        if desk is None or desk.standing is Standing.GONE or desk.grant.generation != generation:
            return None
        return desk
