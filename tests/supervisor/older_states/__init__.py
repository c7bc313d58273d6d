"""State directories of earlier versions, made of their SQL text."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.name for path in HERE.iterdir() if (path / "journal.sql").is_file())


def make(name: str, state: Path) -> Path:
    """Make the state directory ``state`` as the version called ``name`` left it."""
    state.mkdir(mode=0o700)
    for store in ("journal", "stratd"):
        with contextlib.closing(sqlite3.connect(state / f"{store}.db", isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript((HERE / name / f"{store}.sql").read_text("utf-8"))
    return state
