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
    Cleared,
    Closed,
    Executed,
    Judged,
    KeyRing,
    Noted,
    Placed,
    Record,
    Refused,
    Saved,
    Snapshot,
    Withheld,
)
from strategies.trading.ttl import KEY_LIFE


class Keys:
    """Idempotency keys of accepted signals, by deployment and symbol, each with its acceptance (ns).

    A key is forgotten when the same deployment has a signal for the same symbol accepted ``KEY_LIFE``
    later. No other clock will do: each feed has its own time, and one of them may be a recording.
    """

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], dict[bytes, int]] = {}

    def known(self, deployment_id: str, symbol: str, key: bytes) -> bool:
        """Whether a signal with this key was accepted before."""
        return key in self._keys.get((deployment_id, symbol), ())

    def remember(self, deployment_id: str, symbol: str, key: bytes, at: int) -> None:
        """Keep the key of a signal that was accepted at ``at``, and forget those too old to matter."""
        mine = self._keys.setdefault((deployment_id, symbol), {})
        mine[key] = at
        while mine[oldest := next(iter(mine))] < at - KEY_LIFE:
            del mine[oldest]

    def everything(self) -> list[KeyRing]:
        """Return all keys by deployment and symbol, each by acceptance."""
        return [KeyRing(*owner, list(mine.items())) for owner, mine in sorted(self._keys.items())]


class State:
    """Sequence, desks, books, waiting orders and the keys of accepted signals."""

    def __init__(self) -> None:
        self.seq = 0
        self.desks: dict[str, Desk] = {}
        self.books = Books()
        self.broker = PaperBroker()
        self.keys = Keys()

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
            keys=self.keys.everything(),
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


def _judged(state: State, record: Judged) -> None:
    state.desk(record.deployment_id).count(record.decision)
    if record.decision in {"accepted", "modified"}:
        key = bytes.fromhex(record.key)
        state.keys.remember(record.deployment_id, record.signal.symbol, key, record.at)


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
    Refused: _nothing,
    Cleared: _nothing,
}
