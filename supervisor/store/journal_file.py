"""The journal's file: schema, opening, damage. Only this and journal.py know that it is SQLite.

One SQLite database in WAL mode, written by the engine alone and read by the supervisor at the same time.
A commit survives the death of the process; with ``synchronous=FULL`` that of the host too, with NORMAL
(paper trading) a power cut may cost the last commits, never the order or wholeness of those before
(sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias

from supervisor.store import journal_checkpoints as checkpoints
from supervisor.store import journal_standing as standing

Synchronous: TypeAlias = Literal["NORMAL", "FULL"]

VERSION: Final = 5
"""Of the schema, kept in ``PRAGMA user_version``."""
APPLICATION: Final = 0x73744A31
"""``stJ1``: tells our file from any other SQLite database (``PRAGMA application_id``)."""

WAL_PAGES: Final = 25_000
"""Pages of 4 KiB after which SQLite copies the log back inside a commit, 100 MB: only if the thread that
does it (checkpointer.py) has not kept up, for it holds the engine's loop for some 20 ms."""

_LOG: Final = """
-- One row a group of records that were committed together; seq is that of its last record. Everything below
-- follows from it: see meta, 'posted', for how far it does already.
CREATE TABLE log (seq INTEGER PRIMARY KEY, records BLOB NOT NULL);
"""
_ENDS: Final = """
-- Orders that ended with something unfilled.
CREATE TABLE IF NOT EXISTS ends (seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, payload BLOB NOT NULL);
"""
_ORDERS_OF: Final = "CREATE INDEX orders_of ON orders (deployment_id);"
SCHEMA: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
{_LOG}
-- Verdicts, one row a signal, and one for each sum of a flood. key is NULL unless accepted, or asked to be
-- approved. counted is 0 for rows of a removed deployment, kept for their keys alone.
CREATE TABLE signals (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, deployment_id TEXT NOT NULL, symbol TEXT NOT NULL,
    decision TEXT NOT NULL, rule TEXT NOT NULL, count INTEGER NOT NULL, counted INTEGER NOT NULL DEFAULT 1,
    key BLOB, payload BLOB NOT NULL);
CREATE INDEX signals_of ON signals (deployment_id);
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, status TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX orders_waiting ON orders (seq) WHERE status = 'waiting';
{_ORDERS_OF}
CREATE TABLE fills (seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, payload BLOB NOT NULL);
CREATE INDEX fills_of ON fills (deployment_id);
{_ENDS}
CREATE TABLE positions (
    deployment_id TEXT NOT NULL, symbol TEXT NOT NULL, seq INTEGER NOT NULL, quantity REAL NOT NULL,
    payload BLOB NOT NULL, PRIMARY KEY (deployment_id, symbol)) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, deployment_id TEXT NOT NULL, payload BLOB NOT NULL);
-- Counts of verdicts whose rows were pruned.
CREATE TABLE tallies (
    deployment_id TEXT NOT NULL, decision TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (deployment_id, decision)) WITHOUT ROWID;
{checkpoints.SCHEMA}
{standing.SCHEMA}
"""
_TO_2: Final = f"""
{_LOG}
INSERT INTO meta SELECT 'posted', ifnull(max(seq), 0) FROM (
    SELECT max(seq) AS seq FROM signals UNION ALL SELECT max(seq) FROM orders
    UNION ALL SELECT max(seq) FROM fills UNION ALL SELECT max(seq) FROM events
    UNION ALL SELECT max(seq) FROM checkpoints UNION ALL SELECT value FROM meta WHERE name = 'floor');
DELETE FROM meta WHERE name = 'floor';
"""  # noqa: S608 - constants only
"""From schema 1, which had no log: every record went into its tables at once."""
_TO_4: Final = standing.UPGRADE + _ENDS + _ORDERS_OF
_TO_5: Final = _ENDS + standing.RECENT
"""From schema 4, of which the first versions had neither of these tables, and the later ones had both."""
UPGRADES: Final = {
    1: _TO_2 + checkpoints.UPGRADE + _TO_4,
    2: checkpoints.UPGRADE + _TO_4,
    3: _TO_4,
    4: _TO_5,
}
"""What brings a file of that schema up to date."""


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says which file and why.

    After one of these from a write, the group it belonged to is not in the file, not even in part. The
    core is then ahead of the disk: whoever drives it stops, and starts again from ``recover``.

    ::

        JournalError
        ├── JournalCorrupt   damaged; moved aside, nothing of it was used
        └── JournalTooNew    written by a later version of stratd
    """


class JournalCorrupt(JournalError):
    """The file is damaged and now lies at ``moved_to``; opening again starts an empty journal.

    An empty journal knows no positions and no keys of accepted signals. So this is told to a person, and
    whoever opens again does it on purpose.
    """

    def __init__(self, path: Path, moved_to: Path, why: str) -> None:
        self.moved_to = moved_to
        super().__init__(
            f"the journal {path} is damaged ({why}); it was moved to {moved_to} and nothing of it was used"
        )


class JournalTooNew(JournalError):
    """The file has a schema that only a later version of stratd understands; it is left untouched."""


def connect(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Open ``path`` for writing, made if absent.

    Raises ``JournalCorrupt`` after moving a damaged file aside, else ``JournalError``.
    """
    try:
        database = sqlite3.connect(path, timeout=2.0, isolation_level=None)
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be opened: {error}") from None
    try:
        _prepare(database, path, synchronous)
    except sqlite3.Error as error:
        database.close()
        if damaged(error):
            raise quarantine(path, str(error)) from None
        raise JournalError(f"the journal {path} cannot be opened: {error}") from None
    except JournalError:
        database.close()
        raise
    return database


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open ``path`` for reading beside its writer. ``JournalError`` if it is not there or too new."""
    try:
        # A connection of its own thread at a time, not of one thread: the supervisor reads in a worker.
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise JournalError(f"the journal {path} cannot be read: {error}") from None
    try:
        _refuse_foreign(database, path)
    except (sqlite3.Error, JournalError) as error:
        database.close()
        raise error if isinstance(error, JournalError) else unreadable(path, error) from None
    return database


def unreadable(path: Path, error: Exception) -> JournalError:
    """Return the error that says that reading ``path`` failed."""
    return JournalError(f"the journal {path} cannot be read: {error}")


def damaged(error: sqlite3.Error) -> bool:
    """Whether ``error`` says that the file itself is broken, not that the disk is full or the file locked."""
    code = getattr(error, "sqlite_errorcode", None)  # absent from errors that Python raises by itself
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def quarantine(path: Path, why: str) -> JournalCorrupt:
    """Move the database and its companions aside, closed before, and return the error that tells of it."""
    number = 1
    while (target := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return JournalCorrupt(path, target, " ".join(why.split()))


def _prepare(database: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    new = _refuse_foreign(database, path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    database.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    if new:
        _arrange(database, f"{SCHEMA} PRAGMA application_id = {APPLICATION};")
        return
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise quarantine_open(database, path, verdict)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        checkpoints.define_part(database)
        standing.define_averages(database)
        _arrange(database, UPGRADES[version])


def _arrange(database: sqlite3.Connection, script: str) -> None:
    """Make the schema, in one transaction: a crash in between leaves the file as it was."""
    database.executescript(f"BEGIN; {script} PRAGMA user_version = {VERSION}; COMMIT")


def quarantine_open(database: sqlite3.Connection, path: Path, why: str) -> JournalCorrupt:
    """Close ``database`` and move it aside."""
    database.close()
    return quarantine(path, why)


def _refuse_foreign(database: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is empty; raise if it is not a journal, or one of a later version."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (objects,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION:
        if objects or application or version:
            raise JournalError(f"{path} is a database, but no journal of stratd; it was left untouched")
        return True
    if version > VERSION:
        raise JournalTooNew(
            f"the journal {path} has schema {version}, this stratd knows up to {VERSION}: it was written "
            "by a later version; run that one, or move the file away"
        )
    return False
