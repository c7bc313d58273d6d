"""What the core knows, and the one function that changes it: ``State.apply(record)``.

Living and recovering are the same walk over the same records, so they end in the same state. What is not
in a record is not recovered on purpose: prices (those of the last mark, else unknown until the next tick),
the level of the rates' buckets (full again), and which instances run (the supervisor attaches them anew).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from strategies.trading.books import Books
from strategies.trading.broker import PaperBroker
from strategies.trading.desk import Desk
from strategies.trading.figures import Figures
from strategies.trading.following import followed, owners
from strategies.trading.guards import Guards
from strategies.trading.keys import Keys
from strategies.trading.latches import Latch, Scope
from strategies.trading.pending import Pendings
from strategies.trading.recent import Recent
from strategies.trading.records import (
    Amended,
    Cleared,
    Closed,
    Executed,
    Forgotten,
    Guarded,
    Judged,
    Latched,
    Measured,
    Noted,
    Parted,
    Placed,
    Rearmed,
    Record,
    Refused,
    Routed,
    Saved,
    Snapshot,
    Unguarded,
    Withheld,
)

__all__ = ["Keys", "State"]


class State:
    """Sequence, desks, books, orders, guards, latches, figures, what is pending, and keys."""

    def __init__(self) -> None:
        self.seq = 0
        self.desks: dict[str, Desk] = {}
        self.books = Books()
        self.broker = PaperBroker()
        self.keys = Keys()
        self.guards = Guards()
        self.recent = Recent()
        self.pending = Pendings()
        self.latches: dict[tuple[Scope, str], Latch] = {}
        self.figures: dict[tuple[Scope, str], Figures] = {}
        self.routes: dict[str, Routed] = {}
        """What was last said of live orders, by their id."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> State:
        """Return the state that ``snapshot`` was taken of."""
        state = cls()
        state.seq = snapshot.seq
        for ring in snapshot.keys:
            for key, at in ring.keys:
                state.keys.remember(ring.deployment_id, ring.symbol, key, at)
        for tally in snapshot.tallies:
            counts = state.desk(tally.deployment_id).counts
            counts.update(
                accepted=tally.accepted,
                rejected=tally.rejected,
                duplicate=tally.duplicate,
                expired=tally.expired,
            )
        lots = {(ring.deployment_id, ring.symbol): ring.lots for ring in snapshot.lots}
        for settled in snapshot.settled:
            state.books.put_settled(settled)
        for position in snapshot.positions:
            state.books.put(position, lots.get((position.deployment_id, position.symbol)))
        for order in snapshot.orders:
            state.broker.place(order)
        for guard in snapshot.guards:
            state.guards.put(guard)
        for order in snapshot.orders:
            state.guards.had(order.deployment_id, order.symbol, order.after)
        for row in snapshot.recent:
            state.recent.put(row)
        for judged in snapshot.pending:
            state.pending.put(judged)
        state.latches = {(latch.scope, latch.name): latch for latch in snapshot.latches}
        state.figures = {(one.scope, one.name): one for one in snapshot.figures}
        state.routes = {routed.order_id: routed for routed in snapshot.routes}
        return state

    def snapshot(self) -> Snapshot:
        """Return everything that ``apply`` has brought about, in an order that depends on nothing else."""
        tallies = [self.desks[name].tally() for name in sorted(self.desks)]
        return Snapshot(
            seq=self.seq,
            tallies=[
                tally
                for tally in tallies
                if any((tally.accepted, tally.rejected, tally.duplicate, tally.expired))
            ],
            positions=list(self.books.everything()),
            orders=self.broker.everything(),
            keys=self.keys.everything(),
            lots=self.books.rings(),
            guards=self.guards.everything(),
            latches=[self.latches[key] for key in sorted(self.latches)],
            figures=[self.figures[key] for key in sorted(self.figures)],
            routes=[self.routes[key] for key in sorted(self.routes)],
            settled=self.books.settled(),
            recent=self.recent.everything(),
            pending=self.pending.everything(),
        )

    def desk(self, deployment_id: str) -> Desk:
        """Return the desk of a deployment; a new one is not attached."""
        found = self.desks.get(deployment_id)
        if found is None:
            found = self.desks[deployment_id] = Desk(deployment_id)
        return found

    def measures(self, scope: Scope, name: str) -> Figures:
        """Return the figures of a deployment or an account; new ones are of no day yet."""
        return self.figures.get((scope, name)) or Figures(scope=scope, name=name)

    def apply(self, record: Record) -> None:
        """Change the state by one record: the present one's only, never one before it."""
        if record.seq <= self.seq:
            raise ValueError(f"record {record.seq} after record {self.seq}: the journal has two writers")
        self.seq = record.seq
        _APPLY[type(record)](self, record)

    def measure(self, owner: Figures) -> None:
        """Take figures as they stand."""
        self.figures[owner.scope, owner.name] = owner


def _judged(state: State, record: Judged) -> None:
    if record.decision == "pending":  # counted once it is decided
        state.pending.put(record)
    else:
        state.desk(record.deployment_id).count(record.decision)
    if record.pending:
        state.pending.drop(record.signal_id)
    if record.pending or record.decision in {"accepted", "modified", "pending"}:
        key = bytes.fromhex(record.key)
        state.keys.remember(record.deployment_id, record.signal.symbol, key, record.at)


def _withheld(state: State, record: Withheld) -> None:
    state.desk(record.deployment_id).count(record.decision, record.count)


def _placed(state: State, record: Placed) -> None:
    order = record.order
    state.broker.place(order)
    state.guards.had(order.deployment_id, order.symbol, order.after)
    state.recent.add(order)
    _follow(state, record)


def _closed(state: State, record: Closed) -> None:
    state.broker.remove(record.deployment_id, record.symbol, record.order_id)
    state.routes.pop(record.order_id, None)


def _amended(state: State, record: Amended) -> None:
    state.broker.replace(record.order)


def _executed(state: State, record: Executed) -> None:
    fill = record.fill
    if record.order is not None:
        state.broker.replace(record.order)
    else:
        state.broker.remove(fill.deployment_id, fill.symbol, record.order_id)
        state.routes.pop(record.order_id, None)
    state.books.post(record.position, record.lots, record.seq, fill.price)
    _follow(state, record)


def _follow(state: State, record: Placed | Executed) -> None:
    for owner in owners(record):
        state.measure(followed(state.measures(*owner), record))


def _forgotten(state: State, record: Forgotten) -> None:
    name = record.deployment_id
    state.desks.pop(name, None)
    state.latches.pop(("deployment", name), None)
    state.figures.pop(("deployment", name), None)
    state.books.drop_flat(name)


def _latched(state: State, record: Latched) -> None:
    state.latches[record.latch.scope, record.latch.name] = record.latch


def _rearmed(state: State, record: Rearmed) -> None:
    state.latches.pop((record.scope, record.name), None)


def _routed(state: State, record: Routed) -> None:
    state.routes[record.order_id] = record


def _nothing(_state: State, _record: Record) -> None:
    """Checkpoints and notes are for others: they change nothing that trading needs."""


_APPLY: Final[dict[type, Callable[[State, Any], None]]] = {
    Judged: _judged,
    Withheld: _withheld,
    Placed: _placed,
    Closed: _closed,
    Amended: _amended,
    Executed: _executed,
    Guarded: lambda state, record: state.guards.put(record.guard),
    Unguarded: lambda state, record: state.guards.drop(record.deployment_id, record.symbol),
    Latched: _latched,
    Rearmed: _rearmed,
    Measured: lambda state, record: state.measure(record.figures),
    Routed: _routed,
    Forgotten: _forgotten,
    Parted: lambda state, record: state.books.put_settled(record.settled),
    Saved: _nothing,
    Noted: _nothing,
    Refused: _nothing,
    Cleared: _nothing,
}
