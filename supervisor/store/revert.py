"""Gives a migrated state directory back, for the version before: from ``before-upgrade`` (upgrade.py).

Only where nothing has happened since that must not happen twice: a journal that is put back does not know the
signals that were accepted and the orders that were filled after it.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

from supervisor.store import formats, journal_file, journal_log, snapshot
from supervisor.store.journal import Journal
from supervisor.store.snapshot import SnapshotError
from supervisor.store.upgrade import DATABASE, FOLDER, JOURNAL, copied_before, database_path


class RevertError(Exception):
    """It is not given back; one sentence says why. Nothing was changed, or doing it again goes on."""


def give_back(state_dir: Path, database_url: str, *, since: int) -> str:
    """Undo a migration at or after ``since`` (unix ns); its lock must be held. It blocks.

    Returns the sentence that says what was done, "" if there was none to undo. Raises ``RevertError``.
    """
    copied = copied_before(state_dir)
    if copied is None or copied.at < since:
        return ""
    folder, place = state_dir / FOLDER, database_path(database_url)
    if copied.server and copied.found.get("database") != copied.to.formats["database"]:
        raise RevertError(
            f"the database of {state_dir} is on a server and was migrated: restore what pg_dump made before"
        )
    try:
        if (folder / JOURNAL).exists():
            if happened := _since(state_dir / JOURNAL, copied.seq):
                raise RevertError(
                    f"{state_dir} is not given back to the version before: {happened} since it was migrated, "
                    "which would be forgotten, and might be done twice"
                )
            snapshot.put(folder / JOURNAL, state_dir / JOURNAL)
        if place is not None and (folder / DATABASE).exists():
            snapshot.put(folder / DATABASE, place)
        if copied.said is None:
            (state_dir / formats.NAME).unlink(missing_ok=True)
        else:
            formats.write(state_dir, copied.said)
        shutil.rmtree(folder)
    except (SnapshotError, journal_file.JournalError, sqlite3.Error) as error:
        raise RevertError(str(error)) from None
    except OSError as error:
        raise RevertError(f"{state_dir} cannot be given back: {error.strerror or error}") from None
    before = copied.said.written_by if copied.said else "the version before"
    return f"{state_dir} was given back as {before} had left it"


def _since(path: Path, seq: int) -> str:
    """Say what a journal has after record ``seq`` that must not happen again, "" for nothing."""
    if snapshot.number(path) != journal_file.VERSION:
        return ""  # it was given back before this was interrupted, or never migrated
    Journal.open(path).close()  # enters into its tables what a crash left out
    with contextlib.closing(journal_file.connect_readonly(path)) as database:
        execute = database.execute
        if journal_log.last_seq(execute) <= seq:
            return ""
        (accepted,) = execute(
            "SELECT count(*) FROM signals WHERE key IS NOT NULL AND seq > ?", (seq,)
        ).fetchone()
        (filled,) = execute("SELECT count(*) FROM fills WHERE seq > ?", (seq,)).fetchone()
    if not accepted and not filled:
        return ""
    return f"{accepted} signals were accepted and {filled} orders filled"
