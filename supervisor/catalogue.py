"""The strategies that can be started: folders of the settings, and paths that were registered one by one.

Rules of this file. It reads descriptions and never code (strategies/plugins.py). A scan reads files and
blocks: the daemon runs it on a worker thread and swaps the result in at once, so nobody sees half of one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from msgspec import UNSET, Struct

from strategies import plugins
from strategies.errors import ParametersInvalid, Problem
from strategies.parameters import Parameter, Schema, coerce
from strategies.requirements import Lock
from supervisor.code_store import CodeStore, Kept
from supervisor.config.sections import Strategies
from supervisor.errors import Failed, Invalid, NotFound, near_matches
from supervisor.registering.labels import Label, labelled
from supervisor.schema import RescanResult, StrategyView


class Entry(Struct, frozen=True, kw_only=True):
    """One strategy, as the daemon needs it. ``warmup`` candles of each timeframe; ``schema`` None is free.

    ``code_path`` is where its author has it, ``stored`` the copy that cells are shown; "" for the former.
    """

    name: str
    version: str
    code_path: str
    code_hash: str
    built_in: bool = False
    warmup: int
    conflate: bool = True
    symbols: list[str]
    timeframes: list[str]
    schema: Schema | None
    lock: Lock | None = None
    stored: str = ""

    @property
    def updatable(self) -> frozenset[str]:
        """Names of the parameters that may change while it runs; of a free schema none."""
        known = self.schema.parameters if self.schema is not None else {}
        return frozenset(name for name, parameter in known.items() if parameter.updatable)


DEFAULT_FOLDERS = Strategies().path


class Catalogue:
    """The last scan, and the paths it looked at.

    With a ``store``, cells run copies that are made by the scan; without one, the code where it lies.
    """

    def __init__(self, folders: Sequence[Path], store: CodeStore | None = None) -> None:
        self._folders = list(folders)
        self._store = store
        self._stored: dict[str, str] = {}
        """Copies by path of the original."""
        self._registered: list[str] = []
        self._scan = plugins.Catalogue()
        self.preferred: dict[str, str] = {}
        """The version that a name means, where that is not the newest: of code that was registered."""
        self.labels: dict[tuple[str, str], Label] = {}
        """Words beside registered versions, by name and version."""

    def without(self, references: Collection[str], places: Collection[str]) -> Catalogue:
        """Return the same without some versions (``NAME@VERSION``), and without what is broken at ``places``.

        For whoever may not know of them: to look, not to scan.
        """
        seen = copy(self)
        found = {name: one for name, one in self._scan.found.items() if name not in references}
        broken = {path: one for path, one in self._scan.broken.items() if path not in places}
        seen._scan = plugins.Catalogue(found, broken)  # noqa: SLF001  (one of this class)
        meant = self.preferred.items()
        seen.preferred = {name: version for name, version in meant if f"{name}@{version}" not in references}
        return seen

    def look_in(self, folders: Sequence[Path]) -> None:
        """Search other folders from the next scan on."""
        self._folders = list(folders)

    def scan(self, registered: Sequence[str], living: Collection[str] = ()) -> RescanResult:
        """Look again; blocks. Returns what changed and everything that is broken.

        Copies go that nobody can use: of no strategy that this scan or the last one found, since cells may
        be born meanwhile, nor of those whose hashes are ``living``.
        """
        # The default folder need not exist; one that somebody wrote down, and is not there, is told of.
        folders = (f for f in self._folders if f not in DEFAULT_FOLDERS or f.exists())
        paths = [*folders, *map(Path, registered)]
        before, after = self._scan, plugins.scan(paths)
        stored: dict[str, str] = {}
        if self._store is not None:
            after, stored = _copied(after, self._store)
            either = [*before.found.values(), *after.found.values()]
            self._store.tidy({*living, *(found.code_hash for found in either)})
        self._registered, self._scan, self._stored = list(registered), after, stored
        changes = after.changes_since(before)
        return RescanResult(
            added=list(changes.added),
            changed=list(changes.changed),
            removed=list(changes.removed),
            broken={path: [str(error) for error in one.errors] for path, one in sorted(after.broken.items())},
        )

    def code(self, name: str, version: str) -> Entry | None:
        """Return exactly this version, None if there is none."""
        found = self._scan.find(f"{name}@{version}")
        return None if found is None else self._entry(found)

    def paths_of(self, name: str) -> list[str]:
        """Return where there is something of that name, broken folders included."""
        sound = [one.path for one in self._scan.found.values() if one.name == name]
        return sound + [path for path, one in self._scan.broken.items() if one.name == name]

    def current(self) -> list[plugins.Found]:
        """Return one of each name, as ``find`` gives it, by name."""
        found = (self._seek(name) for name in sorted({one.name for one in self._scan.found.values()}))
        return [one for one in found if one is not None]

    @property
    def registered(self) -> list[str]:
        """The paths that were registered one by one, as of the last scan."""
        return list(self._registered)

    def versions(self, name: str) -> list[str]:
        """Return every version of ``name`` that is sound."""
        return sorted(one.version for one in self._scan.found.values() if one.name == name)

    def find(self, reference: str) -> Entry:
        """Return ``NAME@VERSION``, or the active version of ``NAME``, else its newest. Raises ``NotFound``.

        ``Failed`` if there is something of that name, and what is wrong with it.
        """
        return self._entry(self.look_up(reference))

    def look_up(self, reference: str) -> plugins.Found:
        """Return what the scan says of what ``find`` finds; raises as it does."""
        found = self._seek(reference)
        if found is None:
            if broken := self._broken(reference):
                raise Failed(broken)
            known = [plugin.reference for plugin in self._scan.found.values()]
            if "@" not in reference:
                known = sorted({plugin.name for plugin in self._scan.found.values()})
            raise NotFound("strategy", reference, near_matches(reference, known))
        return found

    def _seek(self, reference: str) -> plugins.Found | None:
        wanted = self.preferred.get(reference)
        found = self._scan.find(reference if wanted is None else f"{reference}@{wanted}")
        return None if found is None else self._called(found)

    def _called(self, found: plugins.Found) -> plugins.Found:
        return labelled(found, self.labels.get((found.name, found.version)))

    def why_not(self, name: str, version: str) -> str:
        """Return why ``code`` has nothing: what is wrong with it now, or that it is not there."""
        reference = f"{name}@{version}"
        return self._broken(reference) or f"strategy {reference} is not in the catalogue"

    def _broken(self, reference: str) -> str:
        """Say what is wrong with folders called like ``reference``; "" if there is none.

        A description that cannot be read has no version, so this is said where no version of it is sound.
        """
        name = reference.partition("@")[0]
        if any(one.name == name for one in self._scan.found.values()):
            return ""
        return " ".join(
            f"strategy {name} is broken: {'; '.join(map(str, one.errors))} ({path})"
            for path, one in sorted(self._scan.broken.items())
            if name in (one.name, Path(path).stem)
        )

    def parameters(self, entry: Entry, given: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
        """Return effective parameters of ``given`` values and ``texts`` as typed. Raises ``Invalid``."""
        if entry.schema is None:
            return {**given, **{name: coerce(text) for name, text in texts.items()}}
        values, problems = dict(given), []
        for name, text in texts.items():
            parameter = entry.schema.parameters.get(name)
            try:
                values[name] = text if parameter is None else parameter.accept(text, text=True)
            except ValueError as error:
                values.pop(name, None)
                problems.append(Problem(f"parameters.{name}", f"{text!r}: {error}"))
        wrong = {problem.path for problem in problems}
        checked = entry.schema.check(values)
        # One that could not be read is missing in ``values``: that it is required as well is no news.
        problems += [problem for problem in checked.problems if problem.path not in wrong]
        if problems:
            raise Invalid(str(problem) for problem in ParametersInvalid(problems).problems)
        return checked.values

    def views(self, deployments: Mapping[tuple[str, str], int]) -> list[StrategyView]:
        """Return all of it; ``deployments`` counts those of each (name, version)."""
        known = map(self._called, self._scan.found.values())
        found = sorted(known, key=lambda one: (one.name, one.version))
        sound = [_view(one, deployments.get((one.name, one.version), 0)) for one in found]
        return sound + [_broken(one) for _, one in sorted(self._scan.broken.items())]

    def _entry(self, found: plugins.Found) -> Entry:
        return Entry(
            name=found.name,
            version=found.version,
            code_path=found.path,
            code_hash=found.code_hash,
            built_in=found.built_in,
            warmup=found.warmup,
            conflate=found.conflate,
            symbols=list(found.symbols),
            timeframes=list(found.timeframes),
            schema=found.schema,
            lock=found.lock,
            stored=self._stored.get(found.path, ""),
        )

    @staticmethod
    def inspect(path: str) -> StrategyView:
        """Look at one path without taking it in; blocks."""
        found = plugins.inspect(path)
        return _view(found, 0) if isinstance(found, plugins.Found) else _broken(found)

    def view_of(self, path: str) -> StrategyView | None:
        """Return what stands at ``path``, None if the last scan did not find it."""
        return next((view for view in self.views({}) if view.path == path), None)


def events_of(found: RescanResult) -> Iterator[tuple[str, str]]:
    """Return the events, kind and detail, that tell what a search of the folders has found."""
    for kind in ("added", "changed", "removed"):
        yield from ((f"strategy_{kind}", reference) for reference in getattr(found, kind))
    for path, errors in found.broken.items():
        yield "strategy_broken", f"{path}: {'; '.join(errors)}"


def _copied(scan: plugins.Catalogue, store: CodeStore) -> tuple[plugins.Catalogue, dict[str, str]]:
    """Return a scan as the copies of its strategies say it is, and where they lie. Ours need none."""
    found, broken, stored = dict(scan.found), dict(scan.broken), {}
    for reference, one in scan.found.items():
        if one.built_in:
            continue
        match store.keep(one):
            case Kept(found=sure, path=path):
                found[reference], stored[one.path] = sure, path
            case plugins.Broken() as why:
                del found[reference]
                broken[one.path] = why
    return plugins.Catalogue(found, broken), stored


def _broken(one: plugins.Broken) -> StrategyView:
    errors = [str(error) for error in one.errors]
    return StrategyView(name=one.name, version="", state="broken", path=one.path, errors=errors)


def _view(found: plugins.Found, deployments: int) -> StrategyView:
    schema = found.schema or Schema()
    return StrategyView(
        name=found.name,
        version=found.version,
        type=found.type,
        description=found.description,
        path=found.path,
        code_hash=found.code_hash,
        builtin=found.built_in,
        parameters=[_parameter(name, one) for name, one in schema.parameters.items()],
        constraints=[constraint.text for constraint in schema.constraints],
        timeframes=list(found.timeframes),
        warmup=found.warmup,
        deployments=deployments,
    )


def _parameter(name: str, parameter: Parameter) -> dict[str, Any]:
    """One row of the table of parameters; what is not said is left out."""
    facts = {
        key: getattr(parameter, key)
        for key in (
            "type",
            "default",
            "min",
            "max",
            "exclusive_min",
            "step",
            "choices",
            "unit",
            "description",
        )
    }
    required = parameter.default is UNSET
    return {
        "name": name,
        **{key: value for key, value in facts.items() if value not in (None, "", UNSET)},
        "required": required,
        **({"updatable": True} if parameter.updatable else {}),
    }
