"""Copies the journal's log back into its file, and has the tape survive a power cut, in a thread of its own.

SQLite does it by itself inside a commit, once the log is long: at 1,000 signals a second that held the
engine's loop for 15 to 25 ms, twice a second (measured). A passive checkpoint on a second connection waits
for nobody and delays nobody (https://sqlite.org/wal.html, "Checkpointing"); the commit's own remains as
a bound, in case this thread cannot keep up.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Final

from supervisor.store.tape import Tape, TapeError

EVERY: Final = 1.0
"""Seconds between two looks."""
LONG: Final = 4 * 2**20
"""Bytes of log from which copying is worth it."""


class Checkpointer:
    """Owns a thread and a connection. A failure here loses nothing: the log is only longer."""

    def __init__(self, path: Path, tape: Tape | None = None) -> None:
        self._path = path
        self._tape = tape
        self._log = path.with_name(path.name + "-wal")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; a copy under way is finished first."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=2.0, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = NORMAL")
            while not self._stop.wait(EVERY):
                if self._tape is not None:
                    with contextlib.suppress(TapeError):
                        self._tape.sync()
                # A full disk or a locked file is the writer's to report.
                with contextlib.suppress(OSError, sqlite3.Error):
                    if self._log.stat().st_size > LONG:
                        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
