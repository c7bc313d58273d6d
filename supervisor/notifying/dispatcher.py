"""Every target of the daemon: those of the settings and those that were added over the API.

Rules of this file. A target that was never told begins with what happens from then on; one that was goes on
where it was. A name is one target's: that of the settings, where both have it. Nothing is loaded for targets
until there is one: an HTTP client is 16 MiB, and most of a second.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from supervisor.actor import Actor
from supervisor.config import Settings
from supervisor.errors import Failed, Invalid, NotFound, Refused, near_matches
from supervisor.notifying.target import MOST, Target, mistakes
from supervisor.notifying.watch import Watch, World
from supervisor.notifying.wording import trial
from supervisor.store import notifications_file as file
from supervisor.tasks import end_task

if TYPE_CHECKING:
    from supervisor.notifying.postman import Pace, Postman

PROBLEM = "notifications"
"""Under which the daemon's problems have one of these."""
log = structlog.get_logger()


class Parts(World, Protocol):
    """What is used of the daemon."""

    actors: dict[str, Actor]


class Dispatcher:
    """Tells every target. ``start`` after the event log, ``stop`` before it."""

    def __init__(self, daemon: Parts, *, pace: Pace | None = None) -> None:
        self._daemon = daemon
        self._watch = Watch(daemon)
        self._pace = pace
        self._added: dict[str, Target] = {}
        self._postmen: dict[str, Postman] = {}
        self._seen: dict[str, int] = {}
        self._unreadable = ""
        self._one = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # ---- from start to stop ----------------------------------------------------------------------
    async def start(self) -> None:
        """Take up where each target was, and begin to tell them; nothing waits for one. Never fails."""
        await asyncio.to_thread(self._read)
        self._baseline()
        self._watch.start()
        self._tasks = [
            asyncio.create_task(self._settle(), name="notifications"),
            asyncio.create_task(self._keep(), name="notifications-seen"),
        ]

    async def stop(self) -> None:
        """Let go of every target; what it is still to be told the next daemon tells it."""
        await self._watch.stop()
        for task in self._tasks:
            await end_task(task)
        if not self._tasks:
            return  # it never began
        for postman in self._postmen.values():
            await postman.stop()
        await self._write_places()

    async def follow(self, settings: Settings) -> list[str]:  # noqa: ARG002  (they are the daemon's by now)
        """Have it as the settings are now, after a reload."""
        self._baseline()
        await self._settle()
        return [
            f"notifications.{name}: it replaces the target of that name that was added over the API"
            for name in self._configured()
            if name in self._added
        ]

    def _read(self) -> None:
        folder = self._folder
        try:
            self._added = {one.name: one for one in file.read_targets(folder)}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._unreadable = f"{folder / file.NAME} cannot be read ({_why(error)})"
            self._daemon.problems[PROBLEM] = (
                f"{self._unreadable}: none of its targets is told; mend it or remove it, and restart"
            )
        try:
            self._seen = file.read_places(folder)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("notifications_begin_anew", detail=f"{folder / file.PLACES}: {_why(error)}")

    def _baseline(self) -> None:
        """Have targets that are new begin here, and forget those that are gone or switched off."""
        now = self._daemon.events.seq
        enabled = {name for name, one in self.targets().items() if one.enabled}
        # A number that was never given is of another database: all of this one would be told anew.
        self._seen = {name: min(self._seen.get(name, now), now) for name in enabled}

    async def _settle(self) -> None:
        """Open what is to be told and is not, close what is no more, and open anew what has changed."""
        async with self._one:
            wanted = {name: one for name, one in self.targets().items() if one.enabled}
            for name, postman in list(self._postmen.items()):
                if wanted.get(name) != postman.target:
                    del self._postmen[name]
                    await postman.stop()
                    if name in self._seen:
                        self._seen[name] = postman.at
            for name, target in wanted.items():
                if name not in self._postmen:
                    await self._try_to_open(target)
            self._moved.set()

    async def _try_to_open(self, target: Target) -> None:
        """Wall: a target that cannot be opened is told of, and costs the others nothing."""
        try:
            await self._open(target)
        except Exception as error:
            log.exception("target_failed", target=target.name)
            why = f"the target {target.name} cannot be told: it failed with {type(error).__name__}"
            self._daemon.problems[f"notification {target.name}"] = why

    async def _open(self, target: Target) -> None:
        opening = await asyncio.to_thread(_load)
        postman = opening.Postman(
            target,
            opening.open_channel(target),
            self._daemon.events,
            at=self._seen.setdefault(target.name, self._daemon.events.seq),
            host=socket.gethostname(),
            owner=self._owner,
            moved=self._moved.set,
            note=self._daemon.events.note,
            pace=self._pace or opening.Pace(),
        )
        postman.start()
        self._postmen[target.name] = postman
        self._daemon.problems.pop(f"notification {target.name}", None)

    def _owner(self, deployment_id: str) -> str:
        actor = self._daemon.actors.get(deployment_id)
        return actor.deployment.account if actor is not None else ""

    # ---- how far each was told -------------------------------------------------------------------
    async def _keep(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            await self._write_places()

    async def _write_places(self) -> None:
        async with self._writing:
            self._seen |= {name: one.at for name, one in self._postmen.items() if name in self._seen}
            if not self._seen and not await asyncio.to_thread((self._folder / file.PLACES).exists):
                return
            try:
                await asyncio.to_thread(file.write_places, self._folder, dict(self._seen))
            except OSError as error:  # then what is told meanwhile comes again after a restart
                log.warning("notifications_not_saved", detail=f"{file.PLACES}: {_why(error)}")

    # ---- targets ---------------------------------------------------------------------------------
    @property
    def _folder(self) -> Path:
        return self._daemon.settings.state_dir

    def _configured(self) -> dict[str, Target]:
        return self._daemon.settings.notification_targets

    def targets(self) -> dict[str, Target]:
        """Return every target by name."""
        return {**self._added, **self._configured()}

    def is_configured(self, name: str) -> bool:
        """Whether a target is of the settings."""
        return name in self._configured()

    def postman(self, name: str) -> Postman | None:
        """Return who tells a target; None of one that is switched off, or not open yet."""
        return self._postmen.get(name)

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._daemon.events.seq

    def find(self, name: str) -> Target:
        """Return the target called ``name``. Raises ``NotFound``."""
        known = self.targets()
        if name not in known:
            raise NotFound("target", name, near_matches(name, known))
        return known[name]

    async def add(self, target: Target, *, by: str) -> None:
        """Tell ``target`` from now on, and after restarts. Raises ``Invalid``, ``Refused``, ``Failed``."""
        if wrong := mistakes(target):
            raise Invalid(wrong)
        if target.name in self.targets():
            raise Refused("target_exists", f"there is a target {target.name!r} already: remove it first")
        if len(self.targets()) >= MOST:
            raise Refused("targets", f"{MOST} targets are there already, which is as many as there may be")
        await self._change([*self._added.values(), target])
        self._daemon.events.note("target_added", f"{target.name}: {target.kind}, {target.where}, by {by}")
        self._seen[target.name] = self._daemon.events.seq
        await self._settle()

    async def remove(self, name: str, *, by: str) -> Target:
        """Tell it no more. Raises ``NotFound``, ``Refused`` for one of the settings, ``Failed``."""
        target = self.find(name)
        if self.is_configured(name):
            raise Refused(
                "target_configured",
                f"{name} stands in the settings: take [notifications.{name}] out of them and reload",
            )
        await self._change([one for one in self._added.values() if one.name != name])
        self._seen.pop(name, None)
        self._daemon.events.note("target_removed", f"{name}: by {by}")
        await self._settle()
        return target

    async def _change(self, targets: Iterable[Target]) -> None:
        if self._unreadable:
            raise Failed(f"nothing was changed: {self._unreadable}")
        async with self._writing:
            kept = list(targets)
            try:
                await asyncio.to_thread(file.write_targets, self._folder, kept)
            except OSError as error:
                raise Failed(f"nothing was changed: {self._folder / file.NAME}: {_why(error)}") from None
            self._added = {one.name: one for one in kept}

    async def test(self, name: str) -> tuple[bool, str]:
        """Send a test message now, once, also where it is switched off; return what ``say_once`` does."""
        target = self.find(name)
        opening = await asyncio.to_thread(_load)
        message = trial(host=socket.gethostname(), target=name, at=time.time_ns())
        answer: tuple[bool, str] = await opening.say_once(target, message)
        return answer


def _load() -> Any:
    # Here, and on a thread: see the rules above.
    from supervisor.notifying import opening  # noqa: PLC0415

    return opening


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
