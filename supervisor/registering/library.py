"""The registered versions of one daemon, as its database and its folders have them.

Rules of this file. The database is what counts: a folder is made of it again, where it is missing or is not
what was registered. ``paths`` blocks, on the database's thread; the rest is for the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import structs

from supervisor.catalogue import Catalogue
from supervisor.errors import Failed, NotFound, Unavailable, near_matches
from supervisor.registering import archive
from supervisor.registering.labels import Label
from supervisor.registering.owners import sees
from supervisor.registering.shelf import Shelf
from supervisor.registering.versions import active, undone_by_rollback
from supervisor.store.code_versions import Activation, CodeRecord, CodeVersionStore
from supervisor.store.deployments import DeploymentStore, StoreError

T = TypeVar("T")


class Thread(Protocol):
    """How a blocking call gets onto the database's thread."""

    def __call__(self, call: Callable[[], T], /) -> Awaitable[T]:
        """Run it there."""
        ...


class Library:
    """Versions by name and version. ``catalogue`` is told which one each name means."""

    def __init__(
        self, shelf: Shelf, store: DeploymentStore, in_database: Thread, catalogue: Catalogue
    ) -> None:
        self.records: dict[tuple[str, str], CodeRecord] = {}
        self.trouble: dict[str, str] = {}
        """What could not be made again, by its id, and why."""
        self._store = CodeVersionStore(store)
        self._shelf = shelf
        self._in_database = in_database
        self._catalogue = catalogue
        self._places: dict[tuple[str, str], str] = {}
        """Where each version lies, without a link in it."""
        self._activations: list[Activation] = []
        self._compared = False
        """Whether every folder was compared with its hash: once in the life of a daemon."""

    @property
    def active(self) -> dict[str, str]:
        """The version that each name means, by name."""
        return self._catalogue.preferred

    def paths(self) -> list[str]:
        """Return the path of every version, made again where it has to be; blocks. ``StoreError``."""
        self.records = {(one.name, one.version): one for one in self._store.records()}
        self._activations = self._store.activations()
        self.trouble = {}
        found: list[str] = []
        places: dict[tuple[str, str], str] = {}
        for record in self.records.values():
            path = self._shelf.path(record.name, record.version, record.entry)
            sound = path.exists() if self._compared else self._shelf.holds(path, record.code_hash)
            if not sound:
                self._restore(record)
            found.append(str(path))
            places[record.name, record.version] = str(path.resolve())
        if not self._compared:
            self._shelf.sweep()
        self._compared = True
        self._places = places
        self._catalogue.preferred = active(self._activations, self.records)
        self._catalogue.labels = {(one.name, one.version): one for one in self._store.labels()}
        return found

    def _restore(self, record: CodeRecord) -> None:
        content = self._store.archive(record.name, record.version)
        try:
            files = archive.restored(content or b"")
            self._shelf.keep(self._shelf.draft(record.entry, files), record.name, record.version)
        except (OSError, archive.ArchiveRefused) as error:
            self.trouble[id_of(record)] = f"cannot be made again: {error}"

    # ---- looking ----------------------------------------------------------------------------------
    def seen_by(self, account: str) -> Catalogue:
        """Return the catalogue as callers of ``account`` have it; "" is of none, who have all of it."""
        hidden = {key: one for key, one in self.records.items() if not sees(one, account)}
        if not hidden:
            return self._catalogue
        places = {self._places.get(key, "") for key in hidden}
        return self._catalogue.without({id_of(one) for one in hidden.values()}, places)

    def of_name(self, name: str, account: str = "") -> list[CodeRecord]:
        """Return the versions of ``name`` (or of the name in ``NAME@VERSION``), the oldest first.

        Raises ``NotFound``, also of what callers of ``account`` do not see.
        """
        plain = name.partition("@")[0]
        seen = [one for one in self.records.values() if sees(one, account)]
        mine = [one for one in seen if one.name == plain]
        if not mine:
            raise NotFound("registered strategy", plain, near_matches(plain, {one.name for one in seen}))
        return mine

    def one(self, name: str, version: str, account: str = "") -> CodeRecord:
        """Return one version. Raises ``NotFound``, also of what callers of ``account`` do not see."""
        mine = self.of_name(name, account)
        found = next((one for one in mine if one.version == version), None)
        if found is None:
            raise NotFound("version", version, near_matches(version, [one.version for one in mine]))
        return found

    async def content(self, record: CodeRecord) -> bytes:
        """Return the files of a version as a zip. Raises ``NotFound``, ``Unavailable``."""
        content = await self._ask(lambda: self._store.archive(record.name, record.version))
        if content is None:
            raise NotFound("version", id_of(record))
        return content

    async def label(self, record: CodeRecord, words: Mapping[str, str | None], now: int, by: str) -> bool:
        """Give a version other words, None for those of its content; False if it has them already."""
        key = (record.name, record.version)
        had = self._catalogue.labels.get(key) or Label(name=record.name, version=record.version, at=0, by="")
        given = structs.replace(had, **words)
        if given == had:
            return False
        label = structs.replace(given, at=now, by=by)
        await self._ask(lambda: self._store.put_label(label))
        self._catalogue.labels = {**self._catalogue.labels, key: label}
        return True

    # ---- changing: the catalogue has to be scanned afterwards ---------------------------------------
    async def add(self, record: CodeRecord, path: Path, files: archive.Files) -> None:
        """Keep a version whose draft lies at ``path``, and make it the active one."""
        packed = await asyncio.to_thread(archive.pack, files)
        try:
            await asyncio.to_thread(self._shelf.keep, path, record.name, record.version)
        except OSError as error:
            raise Failed(f"the code cannot be kept: {error.strerror}") from None
        await self._ask(lambda: self._store.add(record, packed))

    async def activate(self, record: CodeRecord, now: int, by: str) -> None:
        """Make a version the active one of its name."""
        await self._ask(lambda: self._store.activate(record.name, record.version, now, by))

    async def roll_back(self, name: str, now: int, by: str) -> bool:
        """Take back what made a version the active one; False if no other one was before it."""
        gone = [one.number for one in undone_by_rollback(self._activations, self.records, name)]
        if gone:
            await self._ask(lambda: self._store.take_back(gone, now, by))
        return bool(gone)

    async def remove(self, record: CodeRecord, now: int, by: str) -> None:
        """Forget a version."""
        await self._ask(lambda: self._store.remove(record.name, record.version, now, by))
        await asyncio.to_thread(self._shelf.remove, record.name, record.version)

    async def _ask(self, call: Callable[[], T]) -> T:
        try:
            return await self._in_database(call)
        except StoreError as error:
            raise Unavailable(f"registered code cannot be read or written: {error}") from None


def id_of(record: CodeRecord) -> str:
    """Return ``NAME@VERSION``."""
    return f"{record.name}@{record.version}"
