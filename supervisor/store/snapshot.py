"""Copies of SQLite files as of one commit, beside a writer, and putting one in the place of another.

``cp`` of a file in WAL mode misses what lies in its log, and may catch a page half written. The backup API
reads as any reader does, so the writer is not delayed (sqlite.org/backup.html).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

PATIENCE: Final = 30.0
"""Seconds to wait for a lock."""


class SnapshotError(Exception):
    """A file cannot be copied; the sentence says which and why."""


def take(source: Path, target: Path) -> None:
    """Copy ``source`` as it is after its last commit to ``target``, looked through and synced.

    Raises ``SnapshotError``; then there is no ``target``.
    """
    try:
        # rw, and not ro: where the last writer was killed, its log has to be recovered first.
        with contextlib.closing(_connect(source, "rw")) as database:
            target.touch(mode=0o600)
            with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
                database.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
                (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        sync(target)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise SnapshotError(f"{source} cannot be copied: {error}") from None
    if verdict != "ok":
        target.unlink()
        raise SnapshotError(f"{source} is damaged ({' '.join(verdict.split())})")


def put(copy: Path, target: Path) -> None:
    """Put a copy in the place of ``target``, which nobody may have open. Raises ``SnapshotError``.

    The old file or the new one is there, with the log that is its own.
    """
    draft = target.with_name(f".{target.name}.new")
    try:
        if target.exists():
            with contextlib.closing(_connect(target, "rw")) as database:
                # Takes the log in and removes it: it must not be found beside the other file.
                database.execute("PRAGMA journal_mode = DELETE")
        draft.unlink(missing_ok=True)
        take(copy, draft)
        draft.replace(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        draft.unlink(missing_ok=True)
        raise SnapshotError(f"{target} cannot be replaced: {error}") from None


def number(path: Path) -> int | None:
    """Return ``PRAGMA user_version`` of a file, None if it is not there. Raises ``sqlite3.Error``."""
    if not path.exists():
        return None
    with contextlib.closing(_connect(path, "rw")) as database:
        (found,) = database.execute("PRAGMA user_version").fetchone()
    return int(found)


def sync(path: Path) -> None:
    """Have a file or a folder survive a power cut. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    place = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(place, uri=True, timeout=PATIENCE, isolation_level=None)
