"""What the core knows, and the one function that changes it: ``State.apply(record)``.

Living and recovering are the same walk over the same records, so they end in the same state. What is not
in a record is not recovered on purpose: prices (unknown until the next tick), the level of the rates'
buckets (full again), and which instances run (the supervisor attaches them anew).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from strategies.trading.books import Books
from strategies.trading.broker import PaperBroker
from strategies.trading.desk import Desk
from strategies.trading.records import (
    Closed,
    Executed,
    Judged,
    Noted,
    Placed,
    Record,
    Saved,
    Snapshot,
    Withheld,
)


class State:
    """Sequence, desks, books, waiting orders and the keys of accepted signals (key -> time, by time)."""

    def __init__(self) -> None:
        self.seq = 0
        self.desks: dict[str, Desk] = {}
        self.books = Books()
        self.broker = PaperBroker()
        self.keys: dict[bytes, int] = {}

    @classmethod
    def of(cls, snapshot: Snapshot) -> State:
        """Return the state that ``snapshot`` was taken of."""
        state = cls()
        state.seq = snapshot.seq
        state.keys = dict(snapshot.keys)
        for tally in snapshot.tallies:
            counts = state.desk(tally.deployment_id).counts
            counts.update(
                accepted=tally.accepted,
                rejected=tally.rejected,
                duplicate=tally.duplicate,
                expired=tally.expired,
            )
        for position in snapshot.positions:
            state.books.put(position)
        for order in snapshot.orders:
            state.broker.place(order)
        return state

    def snapshot(self) -> Snapshot:
        """Return everything that ``apply`` has brought about."""
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
            keys=list(self.keys.items()),
        )

    def desk(self, deployment_id: str) -> Desk:
        """Return the desk of a deployment; a new one is not attached."""
        found = self.desks.get(deployment_id)
        if found is None:
            found = self.desks[deployment_id] = Desk(deployment_id)
        return found

    def apply(self, record: Record) -> None:
        """Change the state by one record: the present one's only, never one before it."""
        if record.seq <= self.seq:
            raise ValueError(f"record {record.seq} after record {self.seq}: the journal has two writers")
        self.seq = record.seq
        _APPLY[type(record)](self, record)

    def forget_keys(self, before: int) -> None:
        """Drop the keys of signals accepted before that time."""
        old = []
        for key, at in self.keys.items():
            if at >= before:
                break
            old.append(key)
        for key in old:
            del self.keys[key]


def _judged(state: State, record: Judged) -> None:
    state.desk(record.deployment_id).count(record.decision)
    if record.decision in {"accepted", "modified"}:
        state.keys[bytes.fromhex(record.key)] = record.at


def _withheld(state: State, record: Withheld) -> None:
    state.desk(record.deployment_id).count(record.decision, record.count)


def _placed(state: State, record: Placed) -> None:
    state.broker.place(record.order)


def _closed(state: State, record: Closed) -> None:
    state.broker.remove(record.deployment_id, record.symbol, record.order_id)


def _executed(state: State, record: Executed) -> None:
    state.broker.remove(record.fill.deployment_id, record.fill.symbol, record.order_id)
    state.books.put(record.position)


def _nothing(_state: State, _record: Record) -> None:
    """Checkpoints and notes are for others: they change nothing that trading needs."""


_APPLY: Final[dict[type, Callable[[State, Any], None]]] = {
    Judged: _judged,
    Withheld: _withheld,
    Placed: _placed,
    Closed: _closed,
    Executed: _executed,
    Saved: _nothing,
    Noted: _nothing,
}
