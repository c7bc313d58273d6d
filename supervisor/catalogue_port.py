"""What the API asks of the catalogue, answered for one daemon."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from strategies import content
from strategies.parameters import DIALECT
from strategies.plugins import Found
from supervisor import listing
from supervisor.catalogue import Catalogue
from supervisor.daemon import Daemon
from supervisor.errors import Failed, Invalid, Refused
from supervisor.listing import Used
from supervisor.registering.checks import Registrant
from supervisor.schema import RescanResult, StrategyView
from supervisor.schema.catalogue import (
    ParametersReport,
    SourceFile,
    SourceView,
    StrategyDetail,
    StrategyRow,
)
from supervisor.store.deployments import StoreError

SHOWN_FILE: Final = 256 * 2**10
SHOWN: Final = 2 * 2**20
"""Bytes of one file and of all files that are shown of a strategy's source; a model is only named."""


class Strategies:
    """``supervisor.api.routes.catalogue.CataloguePort``; a part of ``Port``."""

    _daemon: Daemon

    async def strategies(self, *, account: str | None = None) -> list[StrategyRow]:
        """Return every sound strategy, by name, with what its deployments make of it."""
        return listing.rows(self._seen(account).current(), self._used(account))

    async def catalogue(self, *, account: str | None = None) -> list[StrategyView]:
        """Return every version of every strategy, broken folders included."""
        used = Counter((one.strategy, one.version) for one in self._used(account))
        return self._seen(account).views(used)

    async def strategy(self, reference: str, *, account: str | None = None) -> StrategyDetail:
        """Return everything about one version: that of ``NAME@VERSION``, or the one that ``NAME`` means."""
        return self.detail(reference, account)

    def detail(self, reference: str, account: str | None) -> StrategyDetail:
        """Return what ``strategy`` answers, at once."""
        catalogue = self._seen(account)
        found = catalogue.look_up(reference)
        record = self._daemon.registrar.library.records.get((found.name, found.version))
        return listing.detail(
            found,
            [one for one in self._used(account) if one.strategy == found.name],
            view=catalogue.view_of(found.path) or StrategyView(name=found.name, version=found.version),
            versions=catalogue.versions(found.name),
            registered=found.path in catalogue.registered,
            owner=record.owner if record else "",
        )

    async def strategy_schema(self, reference: str, *, account: str | None = None) -> dict[str, Any]:
        """Return the JSON Schema of a strategy's parameters; one that declares none takes any."""
        found = self._seen(account).look_up(reference)
        document = found.schema.json_schema() if found.schema else {"$schema": DIALECT, "type": "object"}
        return {**document, "title": found.reference}

    async def strategy_source(self, reference: str, *, account: str | None = None) -> SourceView:
        """Return the code of a strategy, as cells are shown it; what is another account's is unknown."""
        entry = self._seen(account).find(reference)
        self._daemon.registrar.open_to(account or "", entry.name, entry.version)
        path = Path(entry.stored or entry.code_path)
        try:
            files = await asyncio.to_thread(content.show, path, each=SHOWN_FILE, all_of_it=SHOWN)
        except OSError as error:
            raise Failed(f"{path} cannot be read: {error.strerror}") from None
        return SourceView(
            id=entry.name,
            version=entry.version,
            code_hash=entry.code_hash,
            files=[SourceFile(name=one.path, size=one.size, text=_text(one.content)) for one in files],
        )

    async def validate_parameters(
        self, reference: str, parameters: Mapping[str, Any], *, account: str | None = None
    ) -> ParametersReport:
        """Return what a strategy would make of ``parameters``, or everything that is wrong with them."""
        catalogue = self._seen(account)
        entry = catalogue.find(reference)
        try:
            return ParametersReport(ok=True, effective=catalogue.parameters(entry, parameters, {}))
        except Invalid as error:
            return ParametersReport(ok=False, errors=list(error.errors))

    async def rescan(self, *, account: str | None = None) -> RescanResult:
        """Search the strategy folders again; with an ``account`` nothing is told of what is of others."""
        before = self._seen(account).views({}) if account else []
        found = await self._daemon.rescan()
        return listing.told(found, before, self._seen(account).views({})) if account else found

    async def unregister(self, reference: str, *, by: str) -> RescanResult:
        """Take what was registered out of the catalogue: of a path the files stay, of code they go."""
        daemon = self._daemon
        path, name, version = _place(daemon.catalogue, reference)
        if (name, version) in daemon.registrar.library.records:
            await daemon.registrar.remove(name, version, Registrant(name=by))
            return RescanResult(removed=[f"{name}@{version}"])
        if path not in daemon.catalogue.registered:
            raise Refused(
                "not_registered",
                f"{reference} was not registered: it lies in a folder that is searched ({path}); "
                "take it from there, and rescan",
            )
        users = [one.id for one in self._used(None) if (one.strategy, one.version) == (name, version)]
        if users:
            raise Refused("in_use", f"{reference} is the strategy of {', '.join(users)}; remove those first")
        try:
            await daemon.in_database(lambda: daemon.store.drop_path(path))
        except StoreError as error:
            raise Failed(f"cannot forget {path}: {error}") from None
        daemon.events.note("strategy_unregistered", f"{reference} ({path}) by {by}")
        return await daemon.rescan()

    def _seen(self, account: str | None) -> Catalogue:
        """Return the catalogue as callers of ``account`` have it, all of it for those of none."""
        return self._daemon.registrar.library.seen_by(account or "")

    def _used(self, account: str | None) -> list[Used]:
        return [
            Used(name, mine.strategy, mine.version, actor.life.state, mine.symbols, mine.timeframes)
            for name, actor in sorted(self._daemon.actors.items())
            for mine in (actor.deployment,)
            if account in (None, mine.account)
        ]


def _place(catalogue: Catalogue, reference: str) -> tuple[str, str, str]:
    """Return path, name and version of what ``reference`` names, broken or not."""
    try:
        found: Found = catalogue.look_up(reference)
    except Failed:
        broken = [view for view in catalogue.views({}) if view.state == "broken" and view.name == reference]
        if len(broken) != 1:
            raise
        return broken[0].path, reference, ""
    return found.path, found.name, found.version


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None
