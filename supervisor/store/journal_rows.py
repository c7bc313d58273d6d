"""Which rows a record becomes, and what is read back, dropped and summed up of them: SQL and no state."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

import msgspec

from strategies.trading.records import Closed, Executed, Judged, Noted, Placed, Saved, Tally, Withheld
from strategies.trading.state import Keys
from strategies.trading.ttl import KEY_LIFE

Execute = Callable[..., sqlite3.Cursor]

_encode: Final = msgspec.msgpack.Encoder().encode


def _write_judged(execute: Execute, record: Judged) -> None:
    passed = record.decision in {"accepted", "modified"}
    execute(
        "INSERT INTO signals (seq, at, deployment_id, symbol, decision, rule, count, key, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)",
        (
            record.seq,
            record.at,
            record.deployment_id,
            record.signal.symbol,
            record.decision,
            record.rule,
            bytes.fromhex(record.key) if passed else None,
            _encode(record),
        ),
    )


def _write_withheld(execute: Execute, record: Withheld) -> None:
    execute(
        "INSERT INTO signals (seq, at, deployment_id, symbol, decision, rule, count, payload) "
        "VALUES (?, ?, ?, '', ?, ?, ?, ?)",
        (
            record.seq,
            record.at,
            record.deployment_id,
            record.decision,
            record.rule,
            record.count,
            _encode(record),
        ),
    )


def _write_placed(execute: Execute, record: Placed) -> None:
    execute(
        "INSERT INTO orders VALUES (?, ?, 'waiting', ?)",
        (record.seq, record.order.deployment_id, _encode(record)),
    )


def _write_closed(execute: Execute, record: Closed) -> None:
    execute("UPDATE orders SET status = ? WHERE seq = ?", (record.reason, record.order_seq))
    # No table of its own, and yet a number of its own: the counter must not go back.
    raise_floor(execute, record.seq)


def _write_executed(execute: Execute, record: Executed) -> None:
    fill, position = record.fill, record.position
    execute("INSERT INTO fills VALUES (?, ?, ?)", (record.seq, fill.deployment_id, _encode(record)))
    execute("UPDATE orders SET status = 'filled' WHERE seq = ?", (record.order_seq,))
    execute(
        "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)",
        (position.deployment_id, position.symbol, record.seq, position.quantity, _encode(position)),
    )


def _write_saved(execute: Execute, record: Saved) -> None:
    execute(
        "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)",
        (record.deployment_id, record.seq, _encode(record)),
    )


def _write_noted(execute: Execute, record: Noted) -> None:
    execute("INSERT INTO events VALUES (?, ?, ?)", (record.seq, record.deployment_id, _encode(record)))


WRITE: Final[dict[type, Callable[..., None]]] = {
    Judged: _write_judged,
    Withheld: _write_withheld,
    Placed: _write_placed,
    Closed: _write_closed,
    Executed: _write_executed,
    Saved: _write_saved,
    Noted: _write_noted,
}
"""How each kind of record is written."""


def last_seq(execute: Execute) -> int:
    """Return the newest record's number. The floor remembers those whose rows are gone or never were."""
    (newest,) = execute(
        "SELECT max(seq) FROM (SELECT max(seq) AS seq FROM signals UNION ALL SELECT max(seq) FROM orders "
        "UNION ALL SELECT max(seq) FROM fills UNION ALL SELECT max(seq) FROM events "
        "UNION ALL SELECT max(seq) FROM checkpoints UNION ALL SELECT value FROM meta WHERE name = 'floor')"
    ).fetchone()
    return newest or 0


def size(execute: Execute) -> int:
    """Return how many rows of records there are."""
    (count,) = execute(
        "SELECT (SELECT count(*) FROM signals) + (SELECT count(*) FROM orders) "
        "+ (SELECT count(*) FROM fills) + (SELECT count(*) FROM events)"
    ).fetchone()
    return int(count)


def raise_floor(execute: Execute, seq: int) -> None:
    """Let no later record get a number up to ``seq``, whatever rows are dropped."""
    execute("INSERT OR REPLACE INTO meta VALUES ('floor', ?)", (seq,))


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
        "SELECT deployment_id, decision, count FROM signals WHERE counted AND seq > ? "
        "UNION ALL SELECT deployment_id, decision, count FROM tallies WHERE ? = 0) GROUP BY 1, 2",
        (since, since),
    ):
        mine = counts.setdefault(deployment_id, dict.fromkeys(Tally.__struct_fields__[1:], 0))
        mine["accepted" if decision == "modified" else decision] += count
    return [Tally(deployment_id, **counts[deployment_id]) for deployment_id in sorted(counts)]


def forget(execute: Execute, deployment_id: str, seq: int) -> None:
    """Drop the rows of a removed deployment, but what it holds, waits for, and must not do twice."""
    raise_floor(execute, seq)
    for statement in (
        "DELETE FROM signals WHERE deployment_id = ? AND key IS NULL",
        "UPDATE signals SET counted = 0 WHERE deployment_id = ?",
        "DELETE FROM orders WHERE deployment_id = ? AND status <> 'waiting'",
        "DELETE FROM fills WHERE deployment_id = ?",
        "DELETE FROM positions WHERE deployment_id = ? AND quantity = 0",
        "DELETE FROM checkpoints WHERE deployment_id = ?",
        "DELETE FROM events WHERE deployment_id = ?",
        "DELETE FROM tallies WHERE deployment_id = ?",
    ):
        execute(statement, (deployment_id,))


def prune(execute: Execute, up_to: int, seq: int) -> None:
    """Drop rows of records up to ``up_to`` that nothing needs; their verdicts stay counted."""
    raise_floor(execute, seq)
    # The newest accepted signal of each deployment and symbol tells how old a key may be (Keys). SQLite
    # takes a bare column beside max() from the row of the maximum (sqlite.org/lang_select.html).
    execute("DROP TABLE IF EXISTS temp.pruned")
    execute(
        "CREATE TEMP TABLE pruned AS SELECT seq FROM signals LEFT JOIN ("
        "SELECT deployment_id, symbol, at AS newest, max(seq) FROM signals WHERE key IS NOT NULL "
        "GROUP BY 1, 2) USING (deployment_id, symbol) WHERE seq <= ? AND (key IS NULL OR at < newest - ?)",
        (up_to, KEY_LIFE),
    )
    execute(
        "INSERT INTO tallies SELECT deployment_id, decision, sum(count) FROM signals "
        "WHERE counted AND seq IN (SELECT seq FROM pruned) GROUP BY 1, 2 "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count"
    )
    execute("DELETE FROM signals WHERE seq IN (SELECT seq FROM pruned)")
    execute("DELETE FROM orders WHERE seq <= ? AND status <> 'waiting'", (up_to,))
    execute("DELETE FROM fills WHERE seq <= ?", (up_to,))
    execute("DELETE FROM events WHERE seq <= ?", (up_to,))
