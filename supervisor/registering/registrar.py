"""Takes in code: checked, kept under its content, and in the catalogue. On the daemon's loop.

Rules of this file. A version is in the database before it is in the catalogue, and never changes afterwards.
Whoever is bound to an account touches what was registered for that account only.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from msgspec.structs import replace

from strategies.plugins import Broken, Found, inspect
from supervisor.actor import Actor
from supervisor.catalogue import Catalogue
from supervisor.config import Settings
from supervisor.errors import Invalid, Refused
from supervisor.events import EventLog
from supervisor.host import Host
from supervisor.registering.checks import Checks, Registrant, Tally
from supervisor.registering.library import Library, Thread, id_of
from supervisor.registering.owners import changes, owner_of_next, reads, sees
from supervisor.registering.shelf import Shelf
from supervisor.registering.submission import Submission
from supervisor.schema import CheckReport, CodeVersion, CodeVersions, Progress, Registration, RescanResult
from supervisor.store.code_versions import CodeRecord
from supervisor.store.deployments import DeploymentStore

MOST_VERSIONS: Final = 100
"""Versions of one name."""
MOST_BYTES: Final = 2**30
"""Bytes of all versions together, unpacked."""
Agreed: TypeAlias = Callable[[], None]
"""Raises ``Stale`` where a strategy is no longer what whoever asks has read."""


def _agreed() -> None:
    """Nobody asked for anything to be as it was."""


class Parts(Protocol):
    """What is used of the daemon."""

    settings: Settings
    actors: dict[str, Actor]
    catalogue: Catalogue
    events: EventLog
    host: Host
    store: DeploymentStore

    @property
    def in_database(self) -> Thread:
        """Run a call on the database's thread."""
        ...

    def rescan(self) -> Awaitable[RescanResult]:
        """Look for strategies again."""
        ...


class Registrar:
    """The registered code of one daemon."""

    def __init__(self, daemon: Parts) -> None:
        self._daemon = daemon
        shelf = Shelf(daemon.settings.state_dir / "registered")
        self.library = Library(shelf, daemon.store, daemon.in_database, daemon.catalogue)
        self._checks = Checks(lambda: daemon.host, shelf, lambda: daemon.settings.strategies.register_code)
        self._changing = asyncio.Lock()

    def paths(self) -> list[str]:
        """Return the paths of all that the catalogue shall have besides its folders; blocks."""
        return [*self._daemon.store.paths(), *self.library.paths()]

    def must_be_open(self) -> None:
        """Raise ``Refused`` if this daemon takes in no code."""
        self._checks.must_be_open()

    # ---- handing in -------------------------------------------------------------------------------
    async def check(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        """Return the checks of a submission as they end, then the report; nothing is registered.

        Raises ``Refused`` before that where it may not be tried. So may the iterator, and ``Unavailable``.
        """
        self._checks.admit(submission, who)
        return self._checking(submission)

    async def _checking(self, submission: Submission) -> AsyncGenerator[Progress, None]:
        tally = Tally()
        async with self._checks.drafted(submission) as path:
            plugin = await asyncio.to_thread(inspect, path)
            async with contextlib.aclosing(self._checks.steps(submission, path, plugin, tally)) as steps:
                async for step in steps:
                    yield Progress(step=step)
        yield Progress(report=tally.report())

    async def register(
        self, submission: Submission, who: Registrant, agreed: Agreed = _agreed
    ) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the registration; of what is known already, that alone.

        Raises ``Refused`` before that where it may not be. The iterator raises ``Invalid`` if a check fails.
        ``agreed`` raises where the strategy is no longer what it was: now, and when the version is kept.
        """
        self._checks.admit(submission, who)
        agreed()
        return self._registering(submission, who, agreed)

    async def _registering(
        self, submission: Submission, who: Registrant, agreed: Agreed
    ) -> AsyncGenerator[Progress, None]:
        tally = Tally()
        async with self._checks.drafted(submission) as path:
            plugin = await asyncio.to_thread(inspect, path)
            if isinstance(plugin, Found):
                self._may_have(plugin, submission, who)
                known = self.library.records.get((plugin.name, plugin.version))
                if known is not None and known.code_hash == plugin.code_hash:
                    await self._activate(known, who, agreed)
                    yield self._registered(known, created=False, report=CheckReport(ok=True))
                    return
            async with contextlib.aclosing(self._checks.steps(submission, path, plugin, tally)) as steps:
                async for step in steps:
                    yield Progress(step=step)
            report = tally.report()
            if not report.ok or isinstance(plugin, Broken):
                raise Invalid([report.reason])
            record, created = await self._keep(submission, path, plugin, who, agreed)
        yield self._registered(record, created=created, report=report)

    def _may_have(self, plugin: Found, submission: Submission, who: Registrant) -> None:
        """Raise ``Refused`` where a name is another's, or there is no room for one version more."""
        records = self.library.records
        mine = [one for (name, _), one in records.items() if name == plugin.name]
        elsewhere = self._daemon.catalogue.paths_of(plugin.name)
        if not mine and elsewhere:
            raise Refused("name_taken", f"{plugin.name} is the name of the strategy at {elsewhere[0]}")
        for one in mine:
            if not sees(one, who.account):
                raise Refused("name_taken", f"the name {plugin.name} is taken; choose another")
            _may_touch(one, who)
        if (plugin.name, plugin.version) in records:
            return
        if len(mine) >= MOST_VERSIONS:
            said = f"{plugin.name} has {len(mine)} versions, the most that are kept: delete some"
            raise Refused("registered_limit", said)
        if sum(one.size for one in records.values()) + submission.size > MOST_BYTES:
            raise Refused("registered_limit", f"all versions together may have {MOST_BYTES:,} bytes")

    async def _keep(
        self, submission: Submission, path: Path, plugin: Found, who: Registrant, agreed: Agreed
    ) -> tuple[CodeRecord, bool]:
        """Keep a version that passed; return it, and whether it is new. Raises ``Refused``."""
        record = CodeRecord(
            name=plugin.name,
            version=plugin.version,
            code_hash=plugin.code_hash,
            entry=path.name,
            kind=submission.kind,
            account=who.account,
            at=time.time_ns(),
            by=who.name[:256],
            origin=who.origin[:256],
            size=submission.size,
        )
        async with self._changing:
            # Asked again: while this was tried, somebody else may have come to have the name.
            self._may_have(plugin, submission, who)
            agreed()
            known = self.library.records
            same = known.get((record.name, record.version))
            if same is not None:
                return same, False  # handed in twice, and the other was quicker
            record = replace(record, owner=owner_of_next(known.values(), record.name, who.account))
            await self.library.add(record, path, submission.files)
            await self._daemon.rescan()
        self._note("code_registered", record, who)
        return record, True

    def _registered(self, record: CodeRecord, *, created: bool, report: CheckReport) -> Progress:
        version = self._view(record)
        listed = version.name if version.active else version.id
        done = Registration(strategy_id=listed, created=created, version=version, report=report)
        return Progress(registration=done)

    # ---- versions ---------------------------------------------------------------------------------
    def versions(self, name: str, account: str | None = None) -> CodeVersions:
        """Return every version of a name, the newest first. Raises ``NotFound``.

        With an ``account`` what is of others is not there, their deployments count for nothing, and who else
        registered what, and from where, is not told.
        """
        mine = self.library.of_name(name, account or "")
        plain = mine[0].name
        return CodeVersions(
            name=plain,
            active=self.library.active.get(plain, ""),
            versions=[self._view(one, account) for one in reversed(mine)],
        )

    def open_to(self, account: str, name: str, version: str) -> None:
        """Raise ``Refused`` if callers of ``account`` may not read this code; "" is of none."""
        record = self.library.records.get((name, version))
        if record is not None and not reads(record, account):
            raise Refused("account", f"{record.name} was not registered for the account {account!r}")

    async def content(self, name: str, version: str, who: Registrant) -> bytes:
        """Return the files of a version as a zip. Raises ``NotFound``, ``Refused``."""
        record = self.library.one(name, version, who.account)
        self.open_to(who.account, record.name, record.version)
        return await self.library.content(record)

    async def activate(self, name: str, version: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean this version from the next start on. Raises ``NotFound``, ``Refused``."""
        record = self.library.one(name, version, who.account)
        _may_touch(record, who)
        await self._activate(record, who)
        return self.versions(record.name, who.account or None)

    async def _activate(self, record: CodeRecord, who: Registrant, agreed: Agreed = _agreed) -> None:
        async with self._changing:
            agreed()
            self.library.one(record.name, record.version)  # it may have been deleted while this waited
            if self.library.active.get(record.name) == record.version:
                return
            await self.library.activate(record, time.time_ns(), who.name[:256])
            await self._daemon.rescan()
        self._note("code_activated", record, who)

    async def label(
        self, name: str, version: str, words: Mapping[str, str | None], who: Registrant, agreed: Agreed
    ) -> None:
        """Give a version other words beside its content. Raises ``NotFound``, ``Refused``."""
        record = self.library.one(name, version, who.account)
        _may_touch(record, who)
        async with self._changing:
            self.library.one(name, version)  # it may have been deleted while this waited
            agreed()
            changed = await self.library.label(record, words, time.time_ns(), who.name[:256])
        if changed:
            self._note("code_labelled", record, who)

    async def roll_back(self, name: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean the version that it meant before. Raises ``NotFound``, ``Refused``."""
        newest = self.library.of_name(name, who.account)[-1]
        _may_touch(newest, who)
        async with self._changing:
            if not await self.library.roll_back(newest.name, time.time_ns(), who.name[:256]):
                raise Refused("no_earlier_version", f"{newest.name} has meant no other version before")
            await self._daemon.rescan()
        now = self.library.one(newest.name, self.library.active[newest.name])
        self._note("code_rolled_back", now, who)
        return self.versions(newest.name, who.account or None)

    async def remove(self, name: str, version: str, who: Registrant) -> None:
        """Delete a version that no deployment has, and that is not the active one of several."""
        record = self.library.one(name, version, who.account)
        _may_touch(record, who)
        async with self._changing:
            if self._users(record):
                seen = self._users(record, who.account or None)
                named = ", ".join(seen[:5]) or "a deployment of another account"
                raise Refused("version_in_use", f"{id_of(record)} is what {named} has: remove that first")
            several = len(self.library.of_name(name)) > 1
            if several and self.library.active.get(record.name) == record.version:
                raise Refused("version_active", f"{id_of(record)} is active: activate another one first")
            await self.library.remove(record, time.time_ns(), who.name[:256])
            await self._daemon.rescan()
        self._note("code_deleted", record, who)

    def _users(self, record: CodeRecord, account: str | None = None) -> list[str]:
        return [
            name
            for name, actor in sorted(self._daemon.actors.items())
            if (actor.deployment.strategy, actor.deployment.version) == (record.name, record.version)
            and account in (None, actor.deployment.account)
        ]

    def _view(self, record: CodeRecord, account: str | None = None) -> CodeVersion:
        told = account in (None, record.account)
        return CodeVersion(
            id=id_of(record),
            name=record.name,
            version=record.version,
            code_hash=record.code_hash,
            kind=record.kind,
            active=self.library.active.get(record.name) == record.version,
            registered_at=record.at,
            registered_by=record.by if told else "",
            origin=record.origin if told else "",
            size=record.size,
            deployments=len(self._users(record, account)),
            owner=record.owner,
        )

    def _note(self, kind: str, record: CodeRecord, who: Registrant) -> None:
        by = " ".join(filter(None, (who.name, who.origin and f"from {who.origin}")))
        self._daemon.events.note(kind, f"{id_of(record)} ({record.code_hash[:12]}) by {by}")


def _may_touch(record: CodeRecord, who: Registrant) -> None:
    if not changes(record, who.account):
        raise Refused("account", f"{record.name} was not registered for the account {who.account!r}")
