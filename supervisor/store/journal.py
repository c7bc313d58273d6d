"""The engine's journal: what trading must know again after any crash, in the order in which it happened.

``Journal`` is the writer, one a file, in the engine. Records of one turn of its loop are appended into
one transaction and committed together: all of them are in the file or none is. ``JournalReader`` reads
the same file from the supervisor, at the same time and without ever delaying the writer.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, Self

import msgspec

from bus.messages import AcceptedSignal, Checkpoint, Position
from strategies.trading.records import Placed, Record, Snapshot
from supervisor.store import journal_copy
from supervisor.store import journal_rows as rows
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.journal_file import (
    JournalCorrupt,
    JournalError,
    JournalTooNew,
    Synchronous,
    connect,
    damaged,
    quarantine_open,
)
from supervisor.store.journal_reader import JournalReader, accepted_after, checkpoint_of

__all__ = ["Journal", "JournalCorrupt", "JournalError", "JournalReader", "JournalTooNew"]

KEEP: Final = 1_000_000
"""Records that ``prune`` leaves: some 500 MB, and days of a busy host."""


class Journal:
    """Writer and recoverer of one journal file. Not for two threads; ``open`` it, ``close`` it."""

    def __init__(self, path: Path, database: sqlite3.Connection, *, seed: int, last_seq: int) -> None:
        self.path = path
        self.seed = seed
        self.last_seq = last_seq
        self._database = database
        self._execute = database.execute
        self._open = False  # a transaction is
        self._broken = ""

    @classmethod
    def open(cls, path: Path, synchronous: Synchronous = "NORMAL") -> Self:
        """Open ``path``, made if absent. Damage raises ``JournalCorrupt`` after moving the file aside.

        ``seed`` is drawn once a file and tells its ids from those of another; ``last_seq`` is the newest
        committed record's.
        """
        database = connect(path, synchronous)
        try:
            # A crash right after the file was made may have left it without one.
            database.execute("INSERT OR IGNORE INTO meta VALUES ('seed', ?)", (secrets.randbits(30),))
            (seed,) = database.execute("SELECT value FROM meta WHERE name = 'seed'").fetchone()
            return cls(path, database, seed=seed, last_seq=rows.last_seq(database.execute))
        except sqlite3.Error as error:
            if damaged(error):
                raise quarantine_open(database, path, str(error)) from None
            database.close()
            raise JournalError(f"the journal {path} cannot be opened: {error}") from None

    def __enter__(self) -> Self:
        """Return itself; closed on the way out."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing ----------------------------------------------------------------------------------
    def append(self, records: Sequence[Record]) -> None:
        """Add ``records`` to the open group. ``seq`` must go on where the last one ended."""
        for record in records:
            if record.seq != self.last_seq + 1 and not self._broken:
                self._fail(f"record {record.seq} cannot follow record {self.last_seq}")
            self._run(rows.WRITE[type(record)], record)
            self.last_seq = record.seq

    def commit(self) -> None:
        """Make the open group durable, whole; nothing to do is no work."""
        if self._open:
            try:
                self._execute("COMMIT")
            except sqlite3.Error as error:
                self._fail(str(error))
            self._open = False

    def forget(self, deployment_id: str) -> None:
        """Drop what trading no longer needs of a removed deployment, in the open group.

        What stays: positions that are not flat, orders that wait, and accepted signals, for their keys.
        """
        self._run(rows.forget, deployment_id, self.last_seq)

    def prune(self, keep: int = KEEP) -> int:
        """Drop records beyond the newest ``keep`` that nothing needs; returns how many. Commits.

        Counts are kept, and so are waiting orders, positions, checkpoints and keys that still matter.
        """
        self.commit()
        before = rows.size(self._execute)
        self._run(rows.prune, self.last_seq - keep, self.last_seq)
        self.commit()
        return before - rows.size(self._execute)

    def seed_from(self, copy: JournalCopy) -> None:
        """Fill a new journal with what a copy of a lost one knows, all of it or nothing. Commits.

        Never over a journal that has anything in it: that is a ``JournalError``. Numbers go on well beyond
        the copy's (``journal_copy.LEAP``).
        """
        if self.last_seq or self._open:
            raise JournalError(f"the journal {self.path} is not empty, and is not filled from a copy")
        self._run(journal_copy.write, copy)
        self.commit()
        self.last_seq = rows.last_seq(self._execute)

    def use_full_sync(self) -> None:
        """Survive a power cut from the next commit on: once a live deployment runs (``FULL``)."""
        self.commit()
        self._execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Commit what is open and let go of the file. Twice is fine."""
        try:
            if not self._broken:
                self.commit()
        finally:
            self._database.close()
            self._broken = "it is closed"
            self._open = False

    # ---- reading again ----------------------------------------------------------------------------
    def recover(self) -> Iterable[Record]:
        """Return what a core must know to go on, as one ``Snapshot``, or nothing from a new journal."""
        if not self.last_seq:
            return []
        try:
            return [
                Snapshot(
                    seq=self.last_seq,
                    tallies=rows.tallies(self._execute),
                    positions=self._payloads("SELECT payload FROM positions", Position),
                    orders=[
                        placed.order
                        for placed in self._payloads(
                            "SELECT payload FROM orders WHERE status = 'waiting' ORDER BY seq", Placed
                        )
                    ],
                    keys=rows.keys(self._execute).everything(),
                )
            ]
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            if isinstance(error, sqlite3.Error) and not damaged(error):
                raise JournalError(f"the journal {self.path} cannot be read: {error}") from None
            self._broken = "it is damaged"
            raise quarantine_open(self._database, self.path, str(error)) from None

    def checkpoint(self, deployment_id: str) -> Checkpoint | None:
        """Return the last checkpoint of a deployment, if it has one."""
        return checkpoint_of(self._database, self.path, deployment_id)

    def accepted(self, after_seq: int, limit: int) -> list[AcceptedSignal]:
        """Return the accepted signals after ``after_seq``, ascending, at most ``limit``."""
        return accepted_after(self._database, self.path, after_seq, limit)

    # ---- inside -----------------------------------------------------------------------------------
    def _run(self, write: Callable[..., None], *arguments: Any) -> None:
        if self._broken:
            raise JournalError(f"the journal {self.path} takes no more records: {self._broken}")
        try:
            if not self._open:
                self._execute("BEGIN IMMEDIATE")
                self._open = True
            write(self._execute, *arguments)
        except sqlite3.Error as error:
            self._fail(str(error))

    def _fail(self, why: str) -> NoReturn:
        """Take the open group back, refuse every later write, and say so."""
        self._broken = why
        self._open = False
        if self._database.in_transaction:  # SQLite has rolled back by itself after some errors
            self._execute("ROLLBACK")
        raise JournalError(
            f"the journal {self.path} cannot be written: {why}; the open group was taken back"
        ) from None

    def _payloads(self, query: str, kind: type[Any]) -> list[Any]:
        decode = msgspec.msgpack.Decoder(kind).decode
        return [decode(payload) for (payload,) in self._execute(query)]
