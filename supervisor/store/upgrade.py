"""Brings a state directory of an older version up to ours, before anything reads it; or gives it back.

Each store is migrated in one transaction: the database by Alembic (schema.py), the journal by its own
statements (journal_file.py). Before the first of them both are copied to ``before-upgrade``, as they were;
the directory's numbers (formats.py) are written when the last is done. So whoever is interrupted anywhere
leaves stores of which each is whole, and the next start goes on, with the copy that was made first.

::

    before-upgrade/copy.json    what the directory was, what it became, and when
    before-upgrade/stratd.db    if the database is an SQLite file: of a server pg_dump makes one
    before-upgrade/journal.db

Only the last upgrade's copy is kept. It may be removed at any time; then nothing gives the directory back.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sql
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from supervisor.store import formats, journal_file, schema, snapshot
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.formats import Formats, FormatsError
from supervisor.store.snapshot import SnapshotError

FOLDER: Final = "before-upgrade"
MANIFEST: Final = "copy.json"
JOURNAL: Final = "journal.db"
DATABASE: Final = "stratd.db"
UNKNOWN: Final = "an older version"
"""For a directory that does not say who wrote it."""


class Copied(Struct, frozen=True, kw_only=True):
    """What ``copy.json`` says. ``said`` is the directory's own ``formats.json``, None where it had none.

    ``found`` are the numbers of its stores as the files tell them, ``to`` what they were to become. ``at`` is
    unix ns; ``seq`` the newest record of the journal then. ``server``: the database is none of the files.
    """

    said: Formats | None
    found: dict[str, int]
    to: Formats
    at: int
    seq: int
    server: bool = False


def bring_up(
    state_dir: Path, database_url: str, *, version: str, now: int, begin: Callable[[], object] = lambda: None
) -> str:
    """Migrate what is older than this ``version``; return the sentence that tells of it, "" for nothing.

    The directory's lock must be held. ``now`` is unix ns; ``begin`` is called if it may take a while. Raises
    ``FormatsError``, and then every store is what it was before, or what it is to become.
    """
    said = formats.check(state_dir, version)
    to = formats.ours(version)
    place = database_path(database_url)
    found = _numbers(state_dir, database_url)
    older = {name: number for name, number in found.items() if number < to.formats[name]}
    if older:
        begin()
        _copy(state_dir, place, Copied(said=said, found=found, to=to, at=now, seq=0, server=place is None))
        try:
            _migrate(state_dir, database_url, older)
        except (StoreError, journal_file.JournalError, OSError) as error:
            raise FormatsError(f"{error}; what it was lies in {state_dir / FOLDER}") from None
    formats.write(state_dir, to)
    if not older:
        return ""
    what = ", ".join(f"{name} {number} -> {to.formats[name]}" for name, number in sorted(older.items()))
    return (
        f"{state_dir} of {said.written_by if said else UNKNOWN} was migrated ({what}); what it was lies in "
        f"{state_dir / FOLDER}, and may be removed once nobody wants to go back"
    )


def database_path(url: str) -> Path | None:
    """Return the file of an SQLite database, None for a server's."""
    parsed = sql.make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


# ---- what is there ----------------------------------------------------------------------------------
def _numbers(state_dir: Path, database_url: str) -> dict[str, int]:
    """Return the numbers of the stores that are there and tell them. Raises ``FormatsError`` for newer ones.

    One that is damaged is left to who opens it, who moves it aside.
    """
    found = {"database": _database(database_url), "journal": _journal(state_dir / JOURNAL)}
    return {name: number for name, number in found.items() if number is not None}


def _journal(path: Path) -> int | None:
    try:
        with contextlib.suppress(sqlite3.DatabaseError):
            if not path.exists():
                return None
            with contextlib.closing(journal_file.connect_readonly(path)):
                pass
            return snapshot.number(path) or None
    except journal_file.JournalTooNew as error:
        raise FormatsError(str(error)) from None
    except journal_file.JournalError:
        return None  # damaged, or no journal: the engine says so
    return None


def _database(url: str) -> int | None:
    path = database_path(url)
    if path is not None and not path.exists():
        return None
    try:
        engine = sql.create_engine(url)
        try:
            with engine.connect() as connection:
                found = schema.find(connection)
        finally:
            engine.dispose()
    except (SQLAlchemyError, OSError, ImportError, schema.SchemaError):
        return None  # damaged, out of reach or not ours: the store says so when it is opened
    # One that is newer is refused by the store, before anything is written.
    return found if found is not None and found <= schema.HEAD else None


# ---- the copy ---------------------------------------------------------------------------------------
def _copy(state_dir: Path, place: Path | None, copied: Copied) -> None:
    """Keep what is there, unless an upgrade that was interrupted has done so. Raises ``FormatsError``."""
    folder, draft = state_dir / FOLDER, state_dir / f".{FOLDER}.new"
    before = copied_before(state_dir)
    if before is not None and before.to.formats == copied.to.formats and before.found != copied.found:
        return  # this upgrade was interrupted, and of what is there now something is migrated already
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _refuse_without_room(state_dir, place)
        if place is not None and place.exists():
            snapshot.take(place, draft / DATABASE)
        if (state_dir / JOURNAL).exists():
            snapshot.take(state_dir / JOURNAL, draft / JOURNAL)
            copied = msgspec.structs.replace(copied, seq=newest_record(draft / JOURNAL))
        (draft / MANIFEST).write_bytes(msgspec.json.encode(copied))
        snapshot.sync(draft / MANIFEST)
        snapshot.sync(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
        snapshot.sync(state_dir)
    except (SnapshotError, sqlite3.Error, OSError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise FormatsError(
            f"{state_dir} is of an older version and cannot be migrated, for it cannot be copied before: "
            f"{error}; nothing in it was changed"
        ) from None


def _refuse_without_room(state_dir: Path, place: Path | None) -> None:
    needed = sum(path.stat().st_size for path in _files(state_dir, place))
    free = shutil.disk_usage(state_dir).free
    if free < needed:
        raise SnapshotError(f"it takes {needed >> 20} MiB, and {free >> 20} MiB are free")


def _files(state_dir: Path, place: Path | None) -> Iterator[Path]:
    for path in (place, state_dir / JOURNAL):
        if path is not None:
            yield from (one for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())


def copied_before(state_dir: Path) -> Copied | None:
    """Return what the copy in a directory is of, None if there is none that is whole."""
    try:
        return msgspec.json.decode((state_dir / FOLDER / MANIFEST).read_bytes(), type=Copied)
    except (OSError, msgspec.MsgspecError):
        return None


def newest_record(journal: Path) -> int:
    """Return the number of the newest record of a journal of any schema. Raises ``sqlite3.Error``."""
    with contextlib.closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=rw", uri=True)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        numbered = tables & {"log", "signals", "orders", "fills", "ends", "events", "checkpoints"}
        found = [database.execute(f"SELECT max(seq) FROM {name}").fetchone()[0] for name in numbered]  # noqa: S608 - constants only
        found += [value for (value,) in database.execute("SELECT value FROM meta WHERE name = 'posted'")]
    return max((int(one) for one in found if one is not None), default=0)


def _migrate(state_dir: Path, database_url: str, older: dict[str, int]) -> None:
    if "journal" in older:
        journal_file.connect(state_dir / JOURNAL, "FULL").close()
    if "database" in older:
        store = DeploymentStore(database_url)
        store.open()
        store.close()
