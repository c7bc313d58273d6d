"""Puts a backup into an empty state directory, so that nothing which was done since is done again.

A backup is the past, and the world has gone on. So numbers go on well beyond its own: no consumer sees one of
them on another signal. The directory gets another identity, so a mirror that is newer is not mixed with it:
it is put aside, since the directory knows what it was restored from (lineage.py). Live deployments come back
stopped, unless they are wanted as they were: a person compares with the broker first.

Rules of this file. The archive is looked through before anything is written. ``MARK`` lies in the directory
from the first file to the last, and no daemon starts over it (formats.py): what was cut off is repeated.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import tarfile
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from supervisor.store import formats, lineage, snapshot, tightened_file
from supervisor.store.backup import KIND, MANIFEST, NUMBER, PIECE, BackupError, Manifest
from supervisor.store.deployments import KEEP_EVENTS, DeploymentStore, StoreError
from supervisor.store.formats import FormatsError
from supervisor.store.journal import Journal, JournalError
from supervisor.store.journal_copy import LEAP
from supervisor.store.lineage import Ancestor
from supervisor.store.tables import Event
from supervisor.store.upgrade import DATABASE, FOLDER, JOURNAL, bring_up, database_path

MARK: Final = formats.RESTORING
OURS: Final = frozenset({DATABASE, JOURNAL, formats.NAME, tightened_file.NAME, MANIFEST})
_IN_THE_DIRECTORY: Final = (JOURNAL, tightened_file.NAME, lineage.NAME, formats.NAME)
_MOST: Final = 2**20
"""Bytes of a manifest."""


class Restored(Struct, frozen=True):
    """What was put back: the backup, the number after which records go on, and which were stopped."""

    manifest: Manifest
    seq: int
    stopped: list[str]


def put_back(
    source: Path, state_dir: Path, database_url: str, *, version: str, now: int, as_wanted: bool = False
) -> Restored:
    """Fill an empty ``state_dir`` from a backup; its lock must be held. It blocks. Raises ``BackupError``.

    ``as_wanted`` leaves live deployments as they were wanted. ``version`` is this program's, ``now`` unix ns.
    """
    manifest = read(source, version)
    place = database_path(database_url)
    _refuse_unless_empty(state_dir, place, manifest)
    draft = state_dir / MARK
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _unpack(source, manifest, draft)
        url = f"sqlite:///{draft / DATABASE}"
        if not manifest.server:
            bring_up(draft, url, version=version, now=now)
            shutil.rmtree(draft / FOLDER, ignore_errors=True)  # the backup is the copy
        with Journal.open(draft / JOURNAL, "FULL") as journal:
            journal.leap(LEAP)
            seq = journal.last_seq
        if manifest.identity:
            lineage.write(draft, Ancestor(manifest.identity, now))
        stopped = [] if manifest.server else _settle(url, manifest, now, as_wanted=as_wanted)
        _move(draft, state_dir, place)
    except (FormatsError, StoreError, JournalError, snapshot.SnapshotError, sqlite3.Error) as error:
        raise BackupError(f"{source} cannot be put back: {error}") from None
    except OSError as error:
        raise BackupError(
            f"{source} cannot be put back into {state_dir}: {error.strerror or error}"
        ) from None
    return Restored(manifest, seq, stopped)


def read(source: Path, version: str) -> Manifest:
    """Return what a backup says of itself, once all of it was looked through. Raises ``BackupError``."""
    try:
        with tarfile.open(source, "r:") as archive:
            manifest = _manifest(archive, source)
            found = [member.name for member in archive if member.name != MANIFEST]
            if sorted(found) != sorted(manifest.files) or not OURS.issuperset(found) or JOURNAL not in found:
                raise BackupError(f"{source} is damaged: it holds {', '.join(found) or 'nothing'}")
            for name, kept in manifest.files.items():
                member = archive.getmember(name)
                if not member.isreg() or member.size != kept.size or _digest(archive, member) != kept.sha256:
                    raise BackupError(f"{source} is damaged: {name} is not what was written")
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{source} is no backup, or is cut off: {error}") from None
    except OSError as error:
        raise BackupError(f"{source} cannot be read: {error.strerror or error}") from None
    if manifest.said is not None and (why := formats.refusal(manifest.said, version, str(source))):
        raise BackupError(why)
    return manifest


def _manifest(archive: tarfile.TarFile, source: Path) -> Manifest:
    first = archive.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _MOST:
        raise BackupError(f"{source} is no backup of stratd: it does not begin with {MANIFEST}")
    try:
        manifest = msgspec.json.decode(_content(archive, first).read(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{source} is damaged: {MANIFEST}: {error}") from None
    if manifest.kind != KIND or manifest.number > NUMBER:
        raise BackupError(
            f"{source} is a {manifest.kind} of format {manifest.number}, made by stratd {manifest.version}; "
            f"this one knows up to {NUMBER}: use that version"
        )
    return manifest


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} is no file")
    return content


def _digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    found = hashlib.sha256()
    content = _content(archive, member)
    while piece := content.read(PIECE):
        found.update(piece)
    return found.hexdigest()


def _refuse_unless_empty(state_dir: Path, place: Path | None, manifest: Manifest) -> None:
    if manifest.server != (place is None):
        raise BackupError(
            "the backup was made with the database on a server, and here it is a file: set DATABASE_URL"
            if manifest.server
            else "the backup has the database in it, and DATABASE_URL here is a server's: leave that out"
        )
    names = {path.name for path in state_dir.iterdir()} - {"state.lock", "logs"}
    if MARK in names:  # of a restore that was interrupted
        names -= {MARK, DATABASE, *_IN_THE_DIRECTORY}
    elif place is not None and place.exists():
        names.add(place.name)
    if names:
        raise BackupError(
            f"{state_dir} is not empty ({', '.join(sorted(names)[:3])}): move it away first, for a restore "
            "writes over nothing"
        )


def _unpack(source: Path, manifest: Manifest, draft: Path) -> None:
    # Copied by hand: a member says nothing of where it goes, and was looked at before (``read``).
    with tarfile.open(source, "r:") as archive:
        for name in manifest.files:
            with (draft / name).open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                shutil.copyfileobj(_content(archive, archive.getmember(name)), file, PIECE)


def _settle(url: str, manifest: Manifest, now: int, *, as_wanted: bool) -> list[str]:
    """Stop what trades live, and tell the event log; return who was stopped."""
    store = DeploymentStore(url)
    store.open()
    try:
        stopped = [] if as_wanted else store.stop_live()
        last = store.last_event()
        # Numbers of events go on further too: beyond any that was given out since the backup.
        detail = f"from a backup at record {manifest.seq}; stopped: {', '.join(stopped) or 'none'}"
        store.add_events([Event(last + KEEP_EVENTS // 2, now, "restored", detail=detail)])
    finally:
        store.close()
    return stopped


def _move(draft: Path, state_dir: Path, place: Path | None) -> None:
    """Let the files take their places; the directory is one again when ``MARK`` is gone, at the very end."""
    owner = state_dir.stat()
    moves = {state_dir / name: draft / name for name in _IN_THE_DIRECTORY}
    if place is not None:
        moves[place] = draft / DATABASE
    for target, made in moves.items():
        if made.exists():
            with contextlib.suppress(PermissionError):  # by root for the service's user; else it is ours
                os.chown(made, owner.st_uid, owner.st_gid)
            snapshot.sync(made)
            shutil.move(made, target)
            snapshot.sync(target.parent)
    shutil.rmtree(draft)
    snapshot.sync(state_dir)
