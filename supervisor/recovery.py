"""The way to Redis and back: opening the mirror, and filling a state directory that is new from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from supervisor.actor import Actor
from supervisor.config import Settings
from supervisor.events import EventLog, InDatabase
from supervisor.mirror import Mirror, MirrorError
from supervisor.mirror_source import DaemonSource, read_copies
from supervisor.news import News
from supervisor.premises import Premises
from supervisor.signal_tail import SignalTail
from supervisor.store.deployments import DeploymentStore
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
    """Return the mirror, not started, or None without REDIS_URL.

    A state directory that was made just now is first filled from the copy, if there is one: then it bears
    the identity of the one that was lost. Redis being down is no reason not to start.
    """
    url, password = daemon.settings.redis.url, daemon.settings.redis.password
    identity, fresh = daemon.premises.identity()
    if url is None:
        return None
    copy = RedisMirror(url.get_secret_value(), password.get_secret_value() if password else None)
    if fresh:
        identity = await _bring_back(daemon, copy) or identity
    source = DaemonSource(identity, daemon.actors, daemon.signals, lambda: daemon.news.journal_seq)
    return Mirror(copy, source, on_change=daemon.events.note)


async def _bring_back(daemon: Parts, copy: RedisMirror) -> str | None:
    """Take the deployments of a copy in; returns the identity that it was of, None if nothing was done."""
    try:
        mark = await copy.mark()
        found = read_copies(await copy.deployments()) if mark is not None else []
    except MirrorError as error:
        daemon.events.note("problem", f"nothing was recovered from the mirror: {error}")
        return None
    if mark is None:
        return None
    store = daemon.store

    def take_in() -> bool:
        if store.load():
            return False  # the database outlived the state directory, and knows better
        for deployment, standing in found:
            store.save(deployment, standing)
        return True

    if await daemon.in_database(take_in):
        daemon.events.note("recovered", f"{len(found)} deployments from the mirror of {mark.identity}")
    daemon.premises.take_identity(mark.identity)
    return mark.identity
