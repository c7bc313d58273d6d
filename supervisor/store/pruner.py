"""Drops what the journal no longer needs while the engine runs, a little at a time.

What is to go is found by reading, which in WAL mode holds nobody up; it is dropped on a connection beside the
writer's, in transactions of some milliseconds: a commit of the engine waits for one at most.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from supervisor.store import journal_log
from supervisor.store import journal_pruning as pruning

EVERY: Final = 3600.0
"""Seconds between two prunings."""
PIECE: Final = 500
"""Rows of each table that go in one transaction."""


def pieces(database: sqlite3.Connection, keep: int, size: int = PIECE) -> Iterator[int]:
    """Drop rows of records beyond the newest ``keep`` that nothing needs; yield how many, a commit each.

    ``database`` is in autocommit mode, and another than the writer's. Raises ``sqlite3.Error``, with nothing
    of the piece dropped.
    """
    execute = database.execute
    up_to = journal_log.last_seq(execute) - keep
    if up_to <= 0:
        return
    pruning.find_unneeded(execute, up_to, min(keep, pruning.SHARE))
    while True:
        execute("BEGIN IMMEDIATE")
        try:
            dropped = pruning.drop_unneeded(execute, size)
        except sqlite3.Error:
            if database.in_transaction:  # SQLite has rolled back by itself after some errors
                execute("ROLLBACK")
            raise
        execute("COMMIT")
        if not dropped:
            return
        yield dropped
