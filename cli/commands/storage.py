"""``storage show|backup|restore|revert``: the state directory as a whole. No daemon is asked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import FAILED, REFUSED, CommandError
from cli.options import ConfigFile, Json
from cli.settings import settings_of
from cli.version import version

if TYPE_CHECKING:
    from supervisor.config import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="A tar archive.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    storage = typer.Typer(rich_markup_mode=None, help="The state directory as a whole.", no_args_is_help=True)
    storage.command()(show)
    storage.command()(backup)
    storage.command()(restore)
    storage.command()(revert)
    app.add_typer(storage, name="storage")


def show(as_json: Json = False, config: ConfigFile = None) -> None:
    """Which version wrote it, and the number of each format: what is there, and what this version writes."""
    from supervisor.store import formats
    from supervisor.store.upgrade import FOLDER, copied_before

    state_dir = _settings(config).state_dir
    try:
        found = formats.read(state_dir)
        why = formats.refusal(found, version(), str(state_dir)) if found else ""
    except formats.FormatsError as error:
        raise CommandError(FAILED, str(error)) from None
    there, copied = found.formats if found else {}, copied_before(state_dir)
    if as_json:
        report = {
            "state_dir": str(state_dir),
            "written_by": found.written_by if found else None,
            "version": version(),
            "formats": {
                name: {"found": there.get(name), "known": formats.FORMATS.get(name)}
                for name in sorted({*there, *formats.FORMATS})
            },
            "before_upgrade": str(state_dir / FOLDER) if copied else None,
        }
        print(json.dumps(report))
    else:
        print(f"{state_dir}: written by stratd {found.written_by if found else 'of no known version'}")
        for name in sorted({*there, *formats.FORMATS}):
            print(f"  {name:<10} {there.get(name, '-')!s:>3}  this version: {formats.FORMATS.get(name, '-')}")
        if copied:
            print(f"  what it was before the last upgrade: {state_dir / FOLDER}")
    if why:
        raise CommandError(REFUSED, why)


def backup(file: File, config: ConfigFile = None) -> None:
    """Write journal and database to FILE, each as of one commit. While the daemon runs, or not."""
    from supervisor.quantities import format_size
    from supervisor.store.backup import BackupError, make

    settings = _settings(config)
    try:
        made = make(settings.state_dir, settings.database_url, file, version=version(), now=time.time_ns())
    except BackupError as error:
        raise CommandError(FAILED, str(error)) from None
    size = format_size(sum(kept.size for kept in made.files.values()))
    print(f"{file}: {settings.state_dir} at record {made.seq}, {size}")
    if made.server:
        print("the database is on a server and not in it: pg_dump it now", flush=True)


def restore(
    file: File,
    as_wanted: Annotated[
        bool, typer.Option("--as-wanted", help="Live deployments too; else they come back stopped.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Fill an empty state directory from FILE. No daemon may run on it.

    What was done since the backup is not in it: compare with the broker before live deployments go on.
    """
    from supervisor.store.backup import BackupError
    from supervisor.store.restore import put_back

    settings = _settings(config)
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with _alone(settings):
            done = put_back(
                file,
                settings.state_dir,
                settings.database_url,
                version=version(),
                now=time.time_ns(),
                as_wanted=as_wanted,
            )
    except BackupError as error:
        raise CommandError(FAILED, str(error)) from None
    was = f"what it was at record {done.manifest.seq}"
    print(f"{settings.state_dir} is {was}; records go on after {done.seq}")
    if done.stopped:
        print(f"stopped, for they trade live: {', '.join(done.stopped)}")


def revert(
    since: Annotated[
        int, typer.Option(metavar="NS", min=0, help="Only a migration since then, in unix nanoseconds.")
    ] = 0,
    config: ConfigFile = None,
) -> None:
    """Give back what the last migration has changed, for the version before. No daemon may run on it.

    Refused once signals were accepted or orders filled since then: they would be forgotten.
    """
    from supervisor.store.revert import RevertError, give_back

    settings = _settings(config)
    if not settings.state_dir.is_dir():
        print("nothing was migrated")
        return
    try:
        with _alone(settings):
            _be_the_owner(settings.state_dir)
            told = give_back(settings.state_dir, settings.database_url, since=since)
    except RevertError as error:
        raise CommandError(REFUSED, str(error)) from None
    print(told or "nothing was migrated")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the state directory: no daemon starts on it meanwhile, and none may run."""
    from supervisor.errors import Failed
    from supervisor.premises import STATE_LOCK, take_lock

    path = settings.state_dir / STATE_LOCK
    try:
        lock = take_lock(path, "stratd", "set STRATD_STATE_DIR")
    except Failed as error:
        raise CommandError(FAILED, str(error)) from None
    try:
        if os.geteuid() == 0:  # for the service's user, who takes the same lock
            owner = settings.state_dir.stat()
            os.fchown(lock, owner.st_uid, owner.st_gid)
        yield
    finally:
        os.close(lock)


def _be_the_owner(folder: Path) -> None:
    """Let root act as the service's user, from here to the end: what is written is to be that user's."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def _settings(config: Path | None) -> Settings:
    from cli.service.credstore import database_of

    settings = settings_of(config)
    given = database_of(settings.state_dir, os.environ)
    return settings_of(config, {**os.environ, **given}) if given else settings
