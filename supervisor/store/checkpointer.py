"""Looks after journal and tape in a thread of its own: copies the log back, prunes, syncs the tape.

SQLite copies the log back by itself inside a commit, once the log is long: at 1,000 signals a second that
held the engine's loop for 15 to 25 ms, twice a second (measured). A passive checkpoint on a second connection
waits for nobody and delays nobody (https://sqlite.org/wal.html, "Checkpointing"); the commit's own remains as
a bound, in case this thread cannot keep up.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from supervisor.store import pruner
from supervisor.store.journal import KEEP
from supervisor.store.tape import Tape, TapeError

EVERY: Final = 1.0
"""Seconds between two looks."""
PIECES: Final = 20
"""Pieces of the journal that are pruned at one look: ten thousand rows of each table a second."""
LONG: Final = 4 * 2**20
"""Bytes of log from which copying is worth it."""


class Checkpointer:
    """Owns a thread and a connection. A failure here loses nothing: the log is only longer."""

    def __init__(self, path: Path, tape: Tape | None = None) -> None:
        self._path = path
        self._tape = tape
        self._log = path.with_name(path.name + "-wal")
        self._stop = threading.Event()
        self._prune_at = time.monotonic() + pruner.EVERY
        self._pruning: Iterator[int] | None = None
        self._thread = threading.Thread(target=self._work, name="journal-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a copy under way is finished first."""
        self._stop.set()
        self._thread.join()

    def _prune(self, database: sqlite3.Connection) -> None:
        """Once an hour begin to drop what the journal no longer needs; go on with it at every look."""
        if self._pruning is None:
            if time.monotonic() < self._prune_at:
                return
            self._prune_at = time.monotonic() + pruner.EVERY
            self._pruning = pruner.pieces(database, KEEP)
        try:
            for _ in range(PIECES):
                if next(self._pruning, None) is None:
                    self._pruning = None
                    return
        except sqlite3.Error:  # a full disk or a locked file: again in an hour
            self._pruning = None

    def _work(self) -> None:
        database: sqlite3.Connection | None = None
        while not self._stop.wait(EVERY):
            if self._tape is not None:
                with contextlib.suppress(TapeError):
                    self._tape.sync()
            # A full disk, a locked file or no descriptor to be had: the writer's to report. Tried again.
            with contextlib.suppress(OSError, sqlite3.Error):
                database = database or self._connect()
                self._prune(database)
                if self._log.stat().st_size > LONG:
                    database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if database is not None:
            database.close()

    def _connect(self) -> sqlite3.Connection:
        # rw: a journal is made by its writer alone (sqlite.org/uri.html).
        place = f"{self._path.absolute().as_uri()}?mode=rw"
        database = sqlite3.connect(place, uri=True, timeout=2.0, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            database.close()
            raise
        return database
