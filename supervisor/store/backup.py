"""A backup of a state directory in one file, made while a daemon runs or while none does.

A tar archive (POSIX.1-2001 pax) of the manifest and of what cannot be made again: journal and database, each
as of one commit (snapshot.py), the directory's ``formats.json``, and limits that were tightened. The journal
is copied first. So whatever it tells of is of deployments that the database knows, and a generation that
began in between is one that the journal has not heard of, never the other way round. Not in it: the tape (it
never leaves its host), candles, logs, and copies of code, which are made anew of the database or of where the
code lies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from supervisor.store import formats, lineage, snapshot, tightened_file
from supervisor.store.formats import Formats
from supervisor.store.snapshot import SnapshotError
from supervisor.store.upgrade import DATABASE, JOURNAL, database_path, newest_record

MANIFEST: Final = "manifest.json"
KIND: Final = "stratd backup"
NUMBER: Final = 1
"""Of this format; one that is higher is refused (restore.py)."""
PIECE: Final = 2**20


class BackupError(Exception):
    """A backup cannot be made or put back; one sentence says why. Then nothing was changed."""


class Kept(Struct, frozen=True):
    """A file of the archive: ``size`` bytes, and their SHA-256."""

    size: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup is of. ``at`` unix ns; ``seq`` the journal's newest record; ``files`` by name.

    ``server``: the database is on a server, whose own tools back it up; it is not in here.
    """

    kind: str = KIND
    number: int = NUMBER
    version: str
    said: Formats | None
    state_dir: str
    at: int
    seq: int
    server: bool
    files: dict[str, Kept]
    identity: str = ""
    """Of the state directory; "" in backups of the first versions, or of one that had none."""


def make(state_dir: Path, database_url: str, target: Path, *, version: str, now: int) -> Manifest:
    """Write a backup to ``target``, which must not be there yet. It blocks. Raises ``BackupError``.

    ``version`` is this program's, ``now`` unix ns.
    """
    database = database_path(database_url)
    if os.path.lexists(target):
        raise BackupError(f"{target} is there already; nothing is written over it")
    if not (state_dir / JOURNAL).exists() or (database is not None and not database.exists()):
        lacks = JOURNAL if not (state_dir / JOURNAL).exists() else str(database)
        raise BackupError(f"{state_dir} is no state directory that a daemon has run on: it has no {lacks}")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
            folder = Path(made)
            manifest = _gather(state_dir, database, folder, version=version, now=now)
            _pack(folder, manifest, draft := folder / "archive")
            _name(draft, target)
        snapshot.sync(target.parent)
    except (SnapshotError, formats.FormatsError, sqlite3.Error) as error:
        raise BackupError(str(error)) from None
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror or error}") from None
    return manifest


def _gather(state_dir: Path, database: Path | None, folder: Path, *, version: str, now: int) -> Manifest:
    snapshot.take(state_dir / JOURNAL, folder / JOURNAL)
    if database is not None:
        snapshot.take(database, folder / DATABASE)
    said = formats.read(state_dir)
    if said is not None:
        shutil.copyfile(state_dir / formats.NAME, folder / formats.NAME)
    if (state_dir / tightened_file.NAME).exists():  # replaced as a whole, so it is one state
        shutil.copyfile(state_dir / tightened_file.NAME, folder / tightened_file.NAME)
    files = {path.name: Kept(path.stat().st_size, digest(path)) for path in sorted(folder.iterdir())}
    return Manifest(
        version=version,
        said=said,
        state_dir=str(state_dir),
        at=now,
        seq=newest_record(folder / JOURNAL),
        server=database is None,
        files=files,
        identity=lineage.identity_of(state_dir),
    )


def _pack(folder: Path, manifest: Manifest, target: Path) -> None:
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    with target.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)  # hashes of keys, and what everybody trades
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in (MANIFEST, *manifest.files):
                archive.add(folder / name, name, recursive=False, filter=_anonymous)
        file.flush()
        os.fsync(file.fileno())


def _name(draft: Path, target: Path) -> None:
    """Give a file its name, over no other."""
    try:
        os.link(draft, target)  # fails where something is, unlike rename(2)
    except PermissionError:  # a file system without links (link(2)): a stick, for instance
        draft.rename(target)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
