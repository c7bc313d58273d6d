"""The way to Redis and back: opening the mirror, and filling a state directory that is new from it.

Rules of this file. Everything is read before anything is written; then come identity, deployments, journal,
in this order, so that a crash in between is made good by the next start: a directory with the identity of
the copy and without a journal is filled from it like one that is empty. Redis being down is no reason not
to start, and a journal that has anything in it never hears of the copy. One that is damaged is moved aside by
the engine, which then ends: the next one finds a journal that was filled like any that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from supervisor.actor import Actor
from supervisor.config import Settings
from supervisor.errors import Failed
from supervisor.events import EventLog, InDatabase
from supervisor.mirror import Mark, Mirror, MirrorError, believable
from supervisor.mirror_rows import Found, read_contents
from supervisor.mirror_source import DaemonSource
from supervisor.news import News
from supervisor.premises import Premises
from supervisor.signal_tail import SignalTail
from supervisor.store import lineage
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.journal import Journal
from supervisor.store.journal_copy import JournalCopy
from supervisor.store.journal_file import JournalError
from supervisor.store.journal_reader import JournalReader

if TYPE_CHECKING:
    from supervisor.store.redis import RedisMirror


class Parts(Protocol):
    """What is needed of the daemon."""

    settings: Settings
    premises: Premises
    store: DeploymentStore
    events: EventLog
    news: News
    signals: SignalTail

    @property
    def actors(self) -> Mapping[str, Actor]:
        """Deployments by id."""
        ...

    @property
    def in_database(self) -> InDatabase:
        """Runs a call on the database's thread."""
        ...


async def open_mirror(daemon: Parts) -> Mirror | None:
    """Return the mirror, not started, or None without REDIS_URL. Call it before the engine is started.

    A state directory that is new is first filled from the copy, if there is one: then it bears the identity
    of the one that was lost. Raises ``Failed`` if the database cannot be written.
    """
    copy = _copy(daemon.settings)
    if copy is None:
        daemon.premises.identity()
        return None
    async with AsyncExitStack() as unless_kept:
        unless_kept.push_async_callback(copy.close)
        partly = await _bring_back(daemon, copy)
        identity, _ = daemon.premises.identity()
        unless_kept.pop_all()  # the mirror closes it
    source = DaemonSource(identity, daemon.actors, daemon.signals, lambda: daemon.news.journal_seq)
    ancestor = await asyncio.to_thread(lineage.read, daemon.settings.state_dir)
    return Mirror(copy, source, on_change=daemon.events.note, put_aside=partly, ancestor=ancestor)


async def refill(daemon: Parts) -> bool:
    """Fill a journal that is gone, before an engine begins a new one; without REDIS_URL that is no work.

    Returns whether something of the copy did not come back. Never raises: an engine is to be started.
    """
    if (daemon.settings.state_dir / "journal.db").exists() or (copy := _copy(daemon.settings)) is None:
        return False
    try:
        async with AsyncExitStack() as always_cleanup:
            always_cleanup.push_async_callback(copy.close)
            return await _bring_back(daemon, copy)
    except (Failed, MirrorError) as error:
        daemon.events.note("problem", f"the journal was not filled from the mirror: {error}")
        return False


def _copy(settings: Settings) -> RedisMirror | None:
    """Return a connection to the copy, None without REDIS_URL."""
    url, password = settings.redis.url, settings.redis.password
    if url is None:
        return None
    # Here, for who has no mirror does without its client: 7 MiB, and 100 ms of every start.
    from supervisor.store.redis import RedisMirror  # noqa: PLC0415

    return RedisMirror(url.get_secret_value(), password.get_secret_value() if password else None)


async def _bring_back(daemon: Parts, copy: RedisMirror) -> bool:
    """Fill what is new here from the copy; returns whether something of the copy did not come back."""
    identity, path = daemon.premises.known_identity(), daemon.settings.state_dir / "journal.db"
    seq = await asyncio.to_thread(_newest, path)
    if seq:
        return False
    try:
        mark = await copy.mark()
        if mark is None or not believable(mark, identity, seq):
            return False
        found = read_contents(await copy.contents(), mark.seq)
    except MirrorError as error:
        daemon.events.note("problem", f"nothing was recovered from the mirror: {error}")
        return False
    for deployment_id, sentence in found.unreadable:
        daemon.events.note("not_recovered", sentence, deployment_id)
    if mark.settled < mark.seq:
        daemon.events.note(
            "problem",
            f"the mirror was being caught up with when it was last written: its signals go to record "
            f"{mark.seq}, its positions, orders and checkpoints to record {mark.settled} only",
        )
    if identity is None:
        daemon.premises.take_identity(mark.identity)
    if identity is None or seq is None:
        await _deployments(daemon, found, mark)
    try:
        last = await asyncio.to_thread(_seed, path, found.journal)
    except JournalError as error:
        daemon.events.note("problem", f"the journal was not filled from the mirror: {error}")
        return True
    daemon.events.note("recovered", _told(found.journal, mark, last))
    return bool(found.unreadable) or mark.settled < mark.seq


def _newest(path: Path) -> int | None:
    """Return the newest number of the journal at ``path``, None if there is no file."""
    if not path.exists():
        return None
    try:
        with JournalReader.open(path) as reader:
            return reader.last_seq()
    except JournalError:
        return 1  # a file that is not to be written over, whatever it is; the engine will say what is wrong


async def _deployments(daemon: Parts, found: Found, mark: Mark) -> None:
    try:
        taken = await daemon.in_database(lambda: daemon.store.fill(found.deployments))
    except StoreError as error:
        raise Failed(f"the database cannot be filled from the mirror: {error}") from None
    if taken:
        detail = f"{len(found.deployments)} deployments from the mirror of {mark.identity}"
        daemon.events.note("recovered", detail)
    # Else the database outlived the state directory, and knows better.


def _seed(path: Path, copy: JournalCopy) -> int:
    path.touch(mode=0o600)  # as the engine makes it
    with Journal.open(path) as journal:
        journal.seed_from(copy)
        return journal.last_seq


def _told(copy: JournalCopy, mark: Mark, last: int) -> str:
    written = datetime.fromtimestamp(mark.at // 1_000_000_000, UTC).isoformat()
    return (
        f"the journal as it was at record {copy.seq}, mirrored at {written}: {len(copy.checkpoints)} "
        f"checkpoints, {len(copy.positions)} positions, {len(copy.orders)} waiting orders, "
        f"{len(copy.accepted)} accepted signals, {len(copy.tallies)} counts; not their fills, refusals and "
        f"events, which no mirror has; numbers go on after {last}"
    )
