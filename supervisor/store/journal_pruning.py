"""Which rows of the journal's tables may go, and how they do, piece by piece.

The oldest records go, whoever they are of: but each deployment keeps its newest ones, however much another
writes. One that is accepted 200 times a second fills with its own the room of all within an hour.

Rules of this file. What is to go is found first, by reading alone. Nothing that a core needs to recover goes:
counts are summed up before, and waiting orders and keys that still matter stay.
"""

from __future__ import annotations

from typing import Final

from strategies.trading.ttl import KEY_LIFE
from supervisor.store.journal_rows import Execute

SHARE: Final = 10_000
"""Rows of each table that every deployment keeps, how old they may be: some 5 MB of each."""
_LARGEST_PIECE: Final = 1_000_000
"""Rows that ``prune`` drops at once: there, nobody waits."""
# The newest accepted signal of each deployment and symbol tells how old a key may be (Keys). SQLite takes a
# bare column beside max() from the row of the maximum (sqlite.org/lang_select.html).
_NEWEST: Final = (
    "LEFT JOIN (SELECT deployment_id, symbol, at AS newest, max(seq) FROM signals WHERE key IS NOT NULL "  # noqa: S608 - constants
    f"GROUP BY 1, 2) USING (deployment_id, symbol) WHERE (key IS NULL OR at < newest - {KEY_LIFE})"
)
_TABLES: Final = {
    "signals": _NEWEST,
    "orders": "WHERE status <> 'waiting'",
    "fills": "WHERE 1",
    "ends": "WHERE 1",
    "events": "WHERE 1",
}
"""What of each table may go."""


def prune(execute: Execute, up_to: int, share: int = SHARE) -> None:
    """Drop rows of records up to ``up_to`` that nothing needs; their verdicts stay counted."""
    find_unneeded(execute, up_to, share)
    while drop_unneeded(execute, _LARGEST_PIECE):
        pass


def find_unneeded(execute: Execute, up_to: int, share: int = SHARE) -> None:
    """Gather, for ``drop_unneeded``, what up to record ``up_to`` nothing needs. Only reads.

    The newest ``share`` rows that a deployment has in a table stay.
    """
    execute("DROP TABLE IF EXISTS temp.pruned")
    execute("CREATE TEMP TABLE pruned (name TEXT, seq INTEGER, PRIMARY KEY (name, seq)) WITHOUT ROWID")
    execute("CREATE TEMP TABLE IF NOT EXISTS shares (deployment_id TEXT PRIMARY KEY, last INTEGER NOT NULL)")
    for table, may_go in _TABLES.items():
        execute("DELETE FROM temp.shares")
        of_each = f"SELECT deployment_id FROM {table} GROUP BY 1 HAVING count(*) > ?"  # noqa: S608 - constants
        for (owner,) in execute(of_each, (share,)).fetchall():
            # Its newest row that is beyond its share.
            execute(
                f"INSERT INTO temp.shares SELECT ?1, seq FROM {table} WHERE deployment_id = ?1 "  # noqa: S608 - as above
                "ORDER BY seq DESC LIMIT 1 OFFSET ?2",
                (owner, share),
            )
        found = f"SELECT '{table}', seq FROM {table} JOIN temp.shares USING (deployment_id) {may_go}"  # noqa: S608 - as above
        execute(f"INSERT INTO temp.pruned {found} AND seq <= ? AND seq <= last", (up_to,))


def drop_unneeded(execute: Execute, most: int) -> int:
    """Drop at most ``most`` rows of each table that nothing needs, and return how many; 0 when it is done."""
    execute(
        "INSERT INTO tallies SELECT deployment_id, decision, sum(count) FROM signals "
        "WHERE counted AND decision <> 'pending' AND seq IN "
        "(SELECT seq FROM temp.pruned WHERE name = 'signals' ORDER BY seq LIMIT ?) GROUP BY 1, 2 "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (most,),
    )
    dropped = 0
    for table in _TABLES:
        piece = f"(SELECT seq FROM temp.pruned WHERE name = '{table}' ORDER BY seq LIMIT ?)"  # noqa: S608 - constants
        dropped += execute(f"DELETE FROM {table} WHERE seq IN {piece}", (most,)).rowcount  # noqa: S608 - as above
        execute(f"DELETE FROM temp.pruned WHERE name = '{table}' AND seq IN {piece}", (most,))  # noqa: S608 - as above
    return dropped
