"""The engine's journal: what trading must know again after any crash, in the order in which it happened.

``Journal`` is the writer, one a file, in the engine. Records of one turn of its loop are committed together,
as one row of a log (journal_log.py): all of them are in the file or none is. Soon afterwards they are posted,
as a bookkeeper posts journal entries to the ledger: into the tables that ``JournalReader`` reads from the
supervisor, at the same time and without ever delaying the writer.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, Self, TypeVar

import msgspec

from bus.histogram import COMMITS, Histogram
from bus.messages import AcceptedSignal, Checkpoint, Position
from strategies.trading.records import Closed, Executed, Judged, Placed, Record, Saved, Snapshot
from supervisor.store import journal_checkpoints as checkpoints
from supervisor.store import journal_copy, journal_log
from supervisor.store import journal_pruning as pruning
from supervisor.store import journal_rows as rows
from supervisor.store import journal_standing as standing
from supervisor.store.journal_checkpoints import Newest
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.journal_file import (
    JournalCorrupt,
    JournalError,
    JournalTooNew,
    Synchronous,
    connect,
    damaged,
    quarantine_open,
    unreadable,
)
from supervisor.store.journal_reader import JournalReader, accepted_after, outcomes_after

__all__ = ["Journal", "JournalCorrupt", "JournalError", "JournalReader", "JournalTooNew"]

T = TypeVar("T")

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
        self._committed = last_seq
        self._group: list[Record] = []  # appended and not committed
        self._unposted: list[Record] = []  # committed and not posted
        self._broken = ""
        self.commits = Histogram(COMMITS)
        """How long each took, in seconds."""

    @classmethod
    def open(cls, path: Path, synchronous: Synchronous = "NORMAL") -> Self:
        """Open ``path``, made if absent. Damage raises ``JournalCorrupt`` after moving the file aside.

        ``seed`` is drawn once a file and tells its ids from those of another; ``last_seq`` is the newest
        committed record's. What a crash left unposted is posted.
        """
        database = connect(path, synchronous)
        try:
            # A crash right after the file was made may have left it without one.
            database.execute("INSERT OR IGNORE INTO meta VALUES ('seed', ?)", (secrets.randbits(30),))
            (seed,) = database.execute("SELECT value FROM meta WHERE name = 'seed'").fetchone()
            journal = cls(path, database, seed=seed, last_seq=journal_log.last_seq(database.execute))
            journal._unposted = list(journal_log.since(database.execute, rows.posted(database.execute)))
        except (sqlite3.Error, msgspec.DecodeError) as error:
            if not isinstance(error, sqlite3.Error) or damaged(error):
                raise quarantine_open(database, path, str(error)) from None
            database.close()
            raise JournalError(f"the journal {path} cannot be opened: {error}") from None
        try:
            journal.post()
        except JournalError:
            journal.close()
            raise
        return journal

    def __enter__(self) -> Self:
        """Return itself; closed on the way out."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing ----------------------------------------------------------------------------------
    def append(self, records: Sequence[Record]) -> None:
        """Add ``records`` to the open group. ``seq`` must go on where the last one ended."""
        self._refuse_if_broken()
        for record in records:
            if record.seq != self.last_seq + 1:
                self._fail(f"record {record.seq} cannot follow record {self.last_seq}")
            self.last_seq = record.seq
        self._group += records

    def commit(self) -> None:
        """Make the open group durable, whole; nothing to do is no work."""
        if not self._group:
            return
        self._refuse_if_broken()
        began = time.perf_counter()
        try:
            alone = journal_log.write(self._execute, self._committed, self._group)
        except sqlite3.Error as error:
            self._fail(str(error))
        if not alone:
            self._fail(f"another writer has gone on from record {self._committed}")
        self.commits.note(time.perf_counter() - began)
        self._committed = self.last_seq
        self._unposted += self._group
        self._group = []

    @property
    def behind(self) -> bool:
        """Whether something is committed that the tables do not hold yet."""
        return bool(self._unposted)

    def post(self) -> None:
        """Commit, and bring the tables level with the log: what others read, and all that is read here."""
        self.commit()
        if self._unposted:
            self._transact(self._post)
            self._unposted.clear()

    def _post(self) -> None:
        rows.post(self._database, self._unposted)
        rows.set_posted(self._execute, self._committed)
        journal_log.drop(self._execute, self._committed)

    def forget(self, deployment_id: str) -> None:
        """Drop what trading no longer needs of a removed deployment. Commits.

        What stays: positions that are not flat, orders that wait, and accepted signals, for their keys.
        """
        self.post()
        self._transact(rows.forget, self._execute, deployment_id)

    def prune(self, keep: int = KEEP) -> int:
        """Drop records beyond the newest ``keep`` that nothing needs; returns how many. Commits.

        Each deployment keeps its newest ``journal_pruning.SHARE``. Counts are kept, and so are waiting
        orders, positions, checkpoints and keys that still matter.
        """
        self.post()
        before = rows.size(self._execute)
        self._transact(pruning.prune, self._execute, self.last_seq - keep, min(keep, pruning.SHARE))
        return before - rows.size(self._execute)

    def seed_from(self, copy: JournalCopy) -> None:
        """Fill a new journal with what a copy of a lost one knows, all of it or nothing. Commits.

        Never over a journal that has anything in it: that is a ``JournalError``. Numbers go on well beyond
        the copy's (``journal_copy.LEAP``).
        """
        if self.last_seq:
            raise JournalError(f"the journal {self.path} is not empty, and is not filled from a copy")
        self._transact(journal_copy.write, self._database, copy)
        self.last_seq = self._committed = rows.posted(self._execute)

    def leap(self, by: int) -> None:
        """Leave out the next ``by`` numbers: records that are not here may have had them. Commits."""
        self.post()
        self._transact(rows.set_posted, self._execute, self.last_seq + by)
        self.last_seq = self._committed = self.last_seq + by

    def use_full_sync(self) -> None:
        """Survive a power cut from the next commit on: once a live deployment runs (``FULL``)."""
        self.commit()
        self._execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Commit and post what is open, and let go of the file. Twice is fine."""
        try:
            if not self._broken:
                self.post()
        finally:
            self._database.close()
            self._broken = "it is closed"

    # ---- reading again ----------------------------------------------------------------------------
    def recover(self) -> Iterable[Record]:
        """Return what a core must know to go on, as one ``Snapshot``, or nothing from a new journal.

        Where an order or a position in it is live, every commit from now on survives a power cut: guards
        send exits before, or though never, an instance is attached that trades live.
        """
        if not self.last_seq:
            return []
        self.post()
        try:
            snapshot = self._snapshot()
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            if isinstance(error, sqlite3.Error) and not damaged(error):
                raise JournalError(f"the journal {self.path} cannot be read: {error}") from None
            self._broken = "it is damaged"
            raise quarantine_open(self._database, self.path, str(error)) from None
        live = any(order.route for order in snapshot.orders)
        if live or any(position.live and position.quantity for position in snapshot.positions):
            self.use_full_sync()
        return [snapshot]

    def checkpoint(self, deployment_id: str) -> Checkpoint | None:
        """Return the newest good checkpoint of a deployment, if it has one."""
        saved = self.newest(deployment_id).saved
        return saved.checkpoint if saved else None

    def newest(self, deployment_id: str, below: int = checkpoints.LARGEST) -> Newest:
        """Return the newest good checkpoint of a deployment, and which newer ones are damaged.

        Only those of records before ``below``.
        """
        return self._read(lambda: checkpoints.newest(self._execute, deployment_id, below))

    def good(self, deployment_id: str, seq: int) -> Saved | None:
        """Return the checkpoint of record ``seq``; None if there is none, or it is refused or damaged."""
        return self._read(lambda: checkpoints.good(self._execute, deployment_id, seq))

    def outcomes(self, after_seq: int) -> list[Judged | Placed | Executed | Closed]:
        """Return verdicts, executions, begins and ends of orders after record ``after_seq``, ascending."""
        self.post()
        return outcomes_after(self._database, self.path, after_seq)

    def accepted(self, after_seq: int, limit: int) -> list[AcceptedSignal]:
        """Return the accepted signals after ``after_seq``, ascending, at most ``limit``."""
        self.post()
        return accepted_after(self._database, self.path, after_seq, limit)

    # ---- inside -----------------------------------------------------------------------------------
    def _refuse_if_broken(self) -> None:
        if self._broken:
            raise JournalError(f"the journal {self.path} takes no more records: {self._broken}")

    def _transact(self, write: Callable[..., None], *arguments: Any) -> None:
        self._refuse_if_broken()
        try:
            self._execute("BEGIN IMMEDIATE")
            write(*arguments)
            self._execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(str(error))

    def _fail(self, why: str) -> NoReturn:
        """Take back what is not committed, refuse every later write, and say so."""
        self._broken = why
        self._group.clear()
        if self._database.in_transaction:  # SQLite has rolled back by itself after some errors
            self._execute("ROLLBACK")
        raise JournalError(
            f"the journal {self.path} cannot be written: {why}; the open group was taken back"
        ) from None

    def _read(self, work: Callable[[], T]) -> T:
        self.post()
        try:
            return work()
        except sqlite3.Error as error:
            raise unreadable(self.path, error) from None

    def _snapshot(self) -> Snapshot:
        return Snapshot(
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
            lots=standing.lots(self._execute),
            guards=standing.everything(self._execute, "guard"),
            latches=standing.everything(self._execute, "latch"),
            figures=standing.everything(self._execute, "figures"),
            routes=standing.everything(self._execute, "route"),
            settled=standing.everything(self._execute, "settled"),
            recent=standing.recent(self._execute),
            pending=standing.pending(self._execute),
        )

    def _payloads(self, query: str, kind: type[Any]) -> list[Any]:
        decode = msgspec.msgpack.Decoder(kind).decode
        return [decode(payload) for (payload,) in self._execute(query)]
