"""The journal's tables: which rows a record becomes, and what is read back, dropped and summed up of them.

SQL and no state. Nothing is in a table that was not committed in the log before (journal_log.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

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
    Tally,
    Unguarded,
    Withheld,
)
from strategies.trading.state import Keys
from supervisor.store import journal_checkpoints as checkpoints
from supervisor.store import journal_standing as standing

Execute = Callable[..., sqlite3.Cursor]
ExecuteMany = Callable[..., sqlite3.Cursor]

_encode: Final = msgspec.msgpack.Encoder().encode


ACCEPTED: Final = "key IS NOT NULL AND decision IN ('accepted', 'modified')"
"""Which rows of signals are those of accepted ones; what waited for approval has a key too."""
_INSERT_SIGNAL: Final = (
    "INSERT INTO signals (seq, at, deployment_id, symbol, decision, rule, count, key, payload) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class _Posting:
    """Rows that records become; of an order or a holding only the last of what happened to it."""

    def __init__(self) -> None:
        self.signals: list[tuple[Any, ...]] = []
        self.orders: list[list[Any]] = []
        self.ended: list[tuple[str, int]] = []
        """Orders of rows that are there already: (status, seq)."""
        self.fills: list[tuple[Any, ...]] = []
        self.positions: dict[tuple[str, str], tuple[Any, ...] | None] = {}
        self.forgotten: list[tuple[str]] = []
        """Deployments whose flat positions go before ``positions`` come."""
        self.checkpoints: list[tuple[Any, ...]] = []
        self.refused: list[tuple[str, int, str]] = []
        """Checkpoints that are bad: (why, seq, owner)."""
        self.cleared: list[tuple[str, int]] = []
        """Owners of no checkpoint before a record: (owner, seq)."""
        self.savers: set[str] = set()
        """Whose checkpoints changed."""
        self.ends: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.standing = standing.Posting()
        self.changed: dict[int, bytes] = {}
        """Orders of rows that are there already and wait on otherwise: payload by seq."""
        self._placed: dict[int, list[Any]] = {}

    def place(self, seq: int, owner: str, payload: bytes) -> None:
        """Let an order wait."""
        self._placed[seq] = row = [seq, owner, "waiting", payload]
        self.orders.append(row)

    def change(self, order_seq: int, payload: bytes) -> None:
        """Let an order wait on, other than before."""
        if row := self._placed.get(order_seq):
            row[3] = payload
        else:
            self.changed[order_seq] = payload

    def end(self, order_seq: int, status: str) -> None:
        """Let an order wait no longer."""
        if row := self._placed.get(order_seq):
            row[2] = status
        else:
            self.ended.append((status, order_seq))

    def write(self, database: sqlite3.Connection) -> None:
        """Write them, in the open transaction."""
        many = database.executemany
        self.standing.write(database)
        gone = [key for key, row in self.positions.items() if row is None]
        kept = [row for row in self.positions.values() if row is not None]
        for statement, rows in (
            (_INSERT_SIGNAL, self.signals),
            ("INSERT INTO orders VALUES (?, ?, ?, ?)", self.orders),
            ("UPDATE orders SET payload = ? WHERE seq = ?", [(p, seq) for seq, p in self.changed.items()]),
            ("UPDATE orders SET status = ? WHERE seq = ?", self.ended),
            ("INSERT INTO fills VALUES (?, ?, ?)", self.fills),
            ("DELETE FROM positions WHERE deployment_id = ? AND quantity = 0", self.forgotten),
            ("DELETE FROM positions WHERE deployment_id = ? AND symbol = ?", gone),
            ("INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)", kept),
            (checkpoints.INSERT, self.checkpoints),
            (checkpoints.REFUSE, self.refused),
            (checkpoints.CLEAR, self.cleared),
            ("INSERT INTO ends VALUES (?, ?, ?)", self.ends),
            ("INSERT INTO events VALUES (?, ?, ?)", self.events),
        ):
            if rows:
                many(statement, rows)


def _judged(rows: _Posting, record: Judged) -> None:
    keyed = record.pending or record.decision in {"accepted", "modified", "pending"}
    key = bytes.fromhex(record.key) if keyed else None
    owner, symbol = record.deployment_id, record.signal.symbol
    rows.signals.append(
        (record.seq, record.at, owner, symbol, record.decision, record.rule, 1, key, _encode(record))
    )
    rows.standing.judged(record)


def _withheld(rows: _Posting, record: Withheld) -> None:
    owner, decision = record.deployment_id, record.decision
    rows.signals.append(
        (record.seq, record.at, owner, "", decision, record.rule, record.count, None, _encode(record))
    )


def _placed(rows: _Posting, record: Placed) -> None:
    rows.place(record.seq, record.order.deployment_id, _encode(record))
    rows.standing.follow(record)


def _closed(rows: _Posting, record: Closed) -> None:
    rows.end(record.order_seq, record.reason)
    rows.ends.append((record.seq, record.deployment_id, _encode(record)))
    rows.standing.unrouted(record.deployment_id, record.order_id)


def _executed(rows: _Posting, record: Executed) -> None:
    position, owner = record.position, record.fill.deployment_id
    rows.fills.append((record.seq, owner, _encode(record)))
    if (order := record.order) is not None:
        rows.change(order.seq, _encode(Placed(seq=order.seq, at=order.accepted_at, order=order)))
    else:
        rows.end(record.order_seq, "filled")
        rows.standing.unrouted(owner, record.order_id)
    rows.standing.moved(record)
    rows.standing.follow(record)
    rows.positions[owner, position.symbol] = (
        owner, position.symbol, record.seq, position.quantity, _encode(position),
    )  # fmt: skip


def _saved(rows: _Posting, record: Saved) -> None:
    rows.checkpoints.append(checkpoints.row(record))
    rows.savers.add(record.deployment_id)


def _refused(rows: _Posting, record: Refused) -> None:
    rows.refused.append((record.why, record.checkpoint, record.deployment_id))
    rows.savers.add(record.deployment_id)


def _cleared(rows: _Posting, record: Cleared) -> None:
    rows.cleared.append((record.deployment_id, record.seq))


def _noted(rows: _Posting, record: Noted) -> None:
    rows.events.append((record.seq, record.deployment_id, _encode(record)))


def _amended(rows: _Posting, record: Amended) -> None:
    order = record.order
    rows.change(order.seq, _encode(Placed(seq=order.seq, at=order.accepted_at, order=order)))


def _forgotten(rows: _Posting, record: Forgotten) -> None:
    """What its account is told to keep (``Parted``) goes in the same transaction, or it would count twice.

    Its other rows go later (``forget``).
    """
    owner = record.deployment_id
    rows.forgotten.append((owner,))
    flat = [key for key, row in rows.positions.items() if key[0] == owner and row and row[3] == 0]
    rows.positions.update(dict.fromkeys(flat))
    rows.standing.forgotten(record)


_POST: Final[dict[type, Callable[[_Posting, Any], None]]] = {
    Judged: _judged,
    Withheld: _withheld,
    Placed: _placed,
    Closed: _closed,
    Executed: _executed,
    Saved: _saved,
    Noted: _noted,
    Refused: _refused,
    Cleared: _cleared,
    Amended: _amended,
    Guarded: lambda rows, record: rows.standing.guarded(record),
    Unguarded: lambda rows, record: rows.standing.unguarded(record),
    Latched: lambda rows, record: rows.standing.latched(record),
    Rearmed: lambda rows, record: rows.standing.rearmed(record),
    Measured: lambda rows, record: rows.standing.measured(record),
    Routed: lambda rows, record: rows.standing.routed(record),
    Forgotten: _forgotten,
    Parted: lambda rows, record: rows.standing.parted(record),
}
"""What rows each kind of record becomes."""


def post(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Enter ``records`` into the tables, in the open transaction."""
    rows = _Posting()
    for record in records:
        _POST[type(record)](rows, record)
    rows.write(database)
    checkpoints.trim(database.execute, rows.savers)


def posted(execute: Execute) -> int:
    """Return the number of the newest record that is in the tables, or was."""
    found = execute("SELECT value FROM meta WHERE name = 'posted'").fetchone()
    return int(found[0]) if found else 0


def set_posted(execute: Execute, seq: int) -> None:
    """Take note that the tables hold every record up to ``seq``. No later one gets a number up to it."""
    execute("INSERT OR REPLACE INTO meta VALUES ('posted', ?)", (seq,))


def size(execute: Execute) -> int:
    """Return how many rows of records there are."""
    (count,) = execute(
        "SELECT (SELECT count(*) FROM signals) + (SELECT count(*) FROM orders) "
        "+ (SELECT count(*) FROM fills) + (SELECT count(*) FROM ends) + (SELECT count(*) FROM events)"
    ).fetchone()
    return int(count)


def keys(execute: Execute) -> Keys:
    """Return the keys of accepted signals that a core would still remember."""
    found = Keys()
    for row in execute(
        "SELECT deployment_id, symbol, key, at FROM signals WHERE key IS NOT NULL ORDER BY seq"
    ):
        found.remember(*row)
    return found


def tallies(execute: Execute, since: int = 0) -> list[Tally]:
    """Return the verdicts of every deployment over its life, those of pruned rows included.

    Or those of records above ``since`` only.
    """
    counts: dict[str, dict[str, int]] = {}
    for deployment_id, decision, count in execute(
        "SELECT deployment_id, decision, sum(count) FROM ("
        "SELECT deployment_id, decision, count FROM signals "
        "WHERE counted AND seq > ? AND decision <> 'pending' "
        "UNION ALL SELECT deployment_id, decision, count FROM tallies WHERE ? = 0) GROUP BY 1, 2",
        (since, since),
    ):
        mine = counts.setdefault(deployment_id, dict.fromkeys(Tally.__struct_fields__[1:], 0))
        mine["accepted" if decision == "modified" else decision] += count
    return [Tally(deployment_id, **counts[deployment_id]) for deployment_id in sorted(counts)]


def forget(execute: Execute, deployment_id: str) -> None:
    """Drop the rows of a removed deployment, but what it holds, waits for, and must not do twice."""
    for statement in (
        "DELETE FROM signals WHERE deployment_id = ? AND key IS NULL",
        "UPDATE signals SET counted = 0 WHERE deployment_id = ?",
        "DELETE FROM orders WHERE deployment_id = ? AND status <> 'waiting'",
        "DELETE FROM fills WHERE deployment_id = ?",
        "DELETE FROM ends WHERE deployment_id = ?",
        "DELETE FROM positions WHERE deployment_id = ? AND quantity = 0",
        "DELETE FROM checkpoints WHERE deployment_id = ?",
        "DELETE FROM events WHERE deployment_id = ?",
        "DELETE FROM tallies WHERE deployment_id = ?",
        "DELETE FROM standing WHERE kind IN ('latch', 'figures') AND owner = 'deployment' AND item = ?",
    ):
        execute(statement, (deployment_id,))
