"""What followed from one signal, as the journal has it; and signals by what became of them.

Queries and no state (journal_reader.py). What came of a signal has larger numbers than the signal itself, and
is of the same deployment: so it is looked for from there on, and no further than ``FAR``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from strategies.trading.identity import SEQS, seq_of
from strategies.trading.records import Closed, Executed, Judged, Placed, Routed, Withheld
from supervisor.store.journal_ledger import Known
from supervisor.store.journal_rows import Execute

FAR: Final = 50_000
"""Rows looked at for what belongs to one signal, of each kind."""
NEXT: Final = 64
"""An order is placed by the same commit as its verdict: the deployment's next orders after it are enough."""

_LARGEST: Final = 2**63 - 1
"""Largest integer of SQLite (sqlite.org/datatype3.html)."""
_SIGNAL: Final = msgspec.msgpack.Decoder(Judged | Withheld).decode
_JUDGED: Final = msgspec.msgpack.Decoder(Judged).decode
_PLACED: Final = msgspec.msgpack.Decoder(Placed).decode
_EXECUTED: Final = msgspec.msgpack.Decoder(Executed).decode
_CLOSED: Final = msgspec.msgpack.Decoder(Closed).decode
_ROUTED: Final = msgspec.msgpack.Decoder(Routed).decode


class Chain(Struct, frozen=True):
    """One signal and what followed. ``whole`` False: more was on the way than is looked through (``FAR``).

    ``waited`` is the verdict before ``judged``, of a signal that was to be approved.
    """

    judged: Judged
    order: Known | None = None
    routed: Routed | None = None
    fills: Sequence[Executed] = ()
    closed: Closed | None = None
    whole: bool = True
    waited: Judged | None = None


def chain(execute: Execute, signal_id: str) -> Chain | None:
    """Return what followed from a signal; None if the journal has none of that id (any more)."""
    first = _judged(execute, signal_id)
    if first is None:
        return None
    judged = _decided(execute, first) if first.decision == "pending" else first
    waited = None if judged is first else first
    order = _order(execute, judged)
    if order is None:
        return Chain(judged, waited=waited)
    owner, placed = judged.deployment_id, order.order
    closed = _closed(execute, order)
    fills, whole = _fills(execute, order, closed.seq if closed else _LARGEST)
    return Chain(
        judged=judged,
        order=order,
        routed=_routed(execute, owner, placed.order_id),
        fills=fills,
        closed=closed,
        whole=whole,
        waited=waited,
    )


def _decided(execute: Execute, pending: Judged) -> Judged:
    """Return what became of a signal that was to be approved, itself while nothing has."""
    # Nothing else has a key again: who repeats it is told that it is a duplicate, without one.
    row = execute(
        "SELECT payload FROM signals WHERE deployment_id = ? AND seq > ? AND key = ? ORDER BY seq LIMIT 1",
        (pending.deployment_id, pending.seq, bytes.fromhex(pending.key)),
    ).fetchone()
    found = _JUDGED(row[0]) if row else None
    return found if found is not None and found.pending == pending.seq else pending


def _judged(execute: Execute, signal_id: str) -> Judged | None:
    number = seq_of(signal_id)
    if number is None:
        return None
    (last,) = execute("SELECT ifnull(max(seq), 0) FROM signals").fetchone()
    for seq in range(number, int(last) + 1, SEQS):
        row = execute("SELECT payload FROM signals WHERE seq = ? AND symbol <> ''", (seq,)).fetchone()
        judged = _JUDGED(row[0]) if row else None
        if judged is not None and judged.signal_id == signal_id:
            return judged
    return None


def _order(execute: Execute, judged: Judged) -> Known | None:
    rows = execute(
        "SELECT payload, status FROM orders WHERE deployment_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (judged.deployment_id, judged.seq, NEXT),
    )
    for payload, status in rows:
        order = _PLACED(payload).order
        if order.signal_id == judged.signal_id:
            return Known(order, status)
    return None


def _fills(execute: Execute, known: Known, until: int) -> tuple[list[Executed], bool]:
    """Return the executions of an order up to record ``until``, and whether all of them were found."""
    order, looked = known.order, 0
    found: list[Executed] = []
    for payload in _after(execute, "fills", order.deployment_id, order.seq):
        looked += 1
        record = _EXECUTED(payload)
        if record.seq > until:
            return found, True
        if record.order_id == order.order_id:
            found.append(record)
            if record.order is None:  # nothing of it waits any more
                return found, True
    return found, looked < FAR


def _closed(execute: Execute, known: Known) -> Closed | None:
    if known.status in ("waiting", "filled"):
        return None
    order = known.order
    for payload in _after(execute, "ends", order.deployment_id, order.seq):
        record = _CLOSED(payload)
        if record.order_id == order.order_id:
            return record
    return None


def _after(execute: Execute, table: str, owner: str, seq: int) -> Iterator[bytes]:
    query = f"SELECT payload FROM {table} WHERE deployment_id = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants only
    return (payload for (payload,) in execute(query, (owner, seq, FAR)))


def _routed(execute: Execute, owner: str, order_id: str) -> Routed | None:
    row = execute(
        "SELECT payload FROM standing WHERE kind = 'route' AND owner = ? AND item = ?", (owner, order_id)
    ).fetchone()
    return _ROUTED(row[0]) if row else None


def signals(
    execute: Execute,
    owners: Sequence[str] | None,
    *,
    verdict: str | None,
    rule: str | None,
    after: int | None,
    limit: int,
) -> list[Judged | Withheld]:
    """Return verdicts of ``owners`` (None: of all), the last or the first after ``after``; ascending."""
    where, given = ["counted"], list[Any]()
    if owners is not None:
        where.append(f"deployment_id IN ({', '.join('?' * len(owners))})")
        given += owners
    for column, wanted in (("decision", verdict), ("rule", rule)):
        if wanted is not None:
            where.append(f"{column} = ?")
            given.append(wanted)
    if after is not None:
        where.append("seq > ?")
        given.append(after)
    order = "DESC" if after is None else "ASC"
    query = f"SELECT payload FROM signals WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - as above
    found = [_SIGNAL(payload) for (payload,) in execute(query, [*given, limit])]
    return found[::-1] if after is None else found
