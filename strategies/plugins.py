"""Finding strategies on disk: every folder with a config.json and a strategy.py, and nothing imported.

The daemon reads descriptions, never code: a strategy's module is loaded in its own sandboxed process only.
What is found is ``Found``; what is broken is ``Broken`` with every problem, and is skipped.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from strategies import content, manifest, requirements
from strategies.errors import Problem
from strategies.nearest import suggestion
from strategies.parameters import Schema
from strategies.requirements import Lock

BUILT_IN: Final = Path(__file__).parent
CONFIG: Final = "config.json"
CODE: Final = "strategy.py"


class Found(Struct, frozen=True, kw_only=True):
    """One strategy, ready to be deployed. ``warmup`` is candles of each timeframe before its first signal.

    ``title`` is what people call it, "" where that is ``name``.

    ``conflate``: behind, only the newest tick of each symbol counts. ``code_hash`` is the SHA-256 over names
    and contents of all its files; ``class_name`` is "" where the module defines one strategy only. A single
    file has no schema: ``schema`` is None, parameters are free. ``lock`` is what its requirements.txt names,
    None for nothing.
    """

    name: str
    version: str
    path: str
    title: str = ""
    type: str = "custom"
    description: str = ""
    author: str = ""
    class_name: str = ""
    schema: Schema | None = None
    timeframes: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    warmup: int = 0
    conflate: bool = True
    lock: Lock | None = None
    code_hash: str
    built_in: bool = False

    @property
    def reference(self) -> str:
        """``name@version``, as ``stratd start --strategy`` takes it."""
        return f"{self.name}@{self.version}"


class Broken(Struct, frozen=True):
    """A folder that looks like a strategy and is none, with everything that is wrong."""

    path: str
    errors: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The folder's name: what an operator knows it by."""
        return Path(self.path).name


Plugin: TypeAlias = Found | Broken


class Changes(Struct, frozen=True):
    """What a rescan found: names with versions, and the paths of what is broken."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.broken)


class Catalogue(Struct, frozen=True):
    """Strategies by reference (``name@version``), and what is broken by path."""

    found: dict[str, Found] = {}
    broken: dict[str, Broken] = {}

    def find(self, reference: str) -> Found | None:
        """Return ``NAME@VERSION``, or the newest version of ``NAME``; None if there is none."""
        if "@" in reference:
            return self.found.get(reference)
        versions = [plugin for plugin in self.found.values() if plugin.name == reference]
        return max(versions, key=lambda plugin: _version_key(plugin.version), default=None)

    def near(self, reference: str) -> str:
        """Return the near matches of a name that ``find`` does not know, for the error message."""
        return suggestion(
            reference, self.found if "@" in reference else {p.name for p in self.found.values()}
        )

    def changes_since(self, before: Catalogue) -> Changes:
        """Compare with an earlier scan, by name and by content."""
        both = self.found.keys() & before.found.keys()
        return Changes(
            added=tuple(sorted(self.found.keys() - before.found.keys())),
            removed=tuple(sorted(before.found.keys() - self.found.keys())),
            changed=tuple(sorted(r for r in both if self.found[r].code_hash != before.found[r].code_hash)),
            broken=tuple(sorted(p for p, b in self.broken.items() if before.broken.get(p) != b)),
        )


def scan(paths: Iterable[str | Path], *, built_in: bool = True) -> Catalogue:
    """Look into every folder of ``paths``, after the built-in ones; a path may be a strategy itself.

    Two of one name and version: the first stands, the other is broken and says where the first is.
    A path that does not exist is broken too, not forgotten.
    """
    found: dict[str, Found] = {}
    broken: dict[str, Broken] = {}
    roots = [BUILT_IN, *map(Path, paths)] if built_in else list(map(Path, paths))
    for root in dict.fromkeys(roots):
        for plugin in _look(root):
            if isinstance(plugin, Broken):
                broken[plugin.path] = plugin
            elif (first := found.get(plugin.reference)) is None:
                found[plugin.reference] = plugin
            elif first.path != plugin.path:
                message = f"{plugin.reference} is already defined in {first.path}"
                broken[plugin.path] = Broken(plugin.path, (Problem("name", message),))
    return Catalogue(found, broken)


def _look(root: Path) -> list[Plugin]:
    try:
        if root != BUILT_IN and (root.is_file() or (root / CONFIG).exists() or (root / CODE).exists()):
            return [inspect(root)]
        folders = sorted(entry for entry in root.iterdir() if not entry.name.startswith((".", "_")))
        # A folder with either file is meant as a strategy; with neither it is nobody's business.
        return [
            inspect(f) for f in folders if f.is_dir() and any((f / part).exists() for part in (CONFIG, CODE))
        ]
    except OSError as error:
        return [Broken(str(root), (Problem("", f"cannot be read: {error.strerror}"),))]


def inspect(path: str | Path) -> Plugin:
    """Read one strategy, a folder or a single ``.py`` file, without importing anything of it."""
    # Without a link in it: a cell is shown exactly this path, and a link could lead elsewhere by then.
    path = Path(path).resolve()
    try:
        return _read(path)
    except Exception as error:  # noqa: BLE001  (the wall: what one wrote keeps nobody else's from being found)
        why = f"cannot be looked at, a fault of stratd itself: {type(error).__name__}: {error}"
        return Broken(str(path), (Problem("", why),))


def _read(path: Path) -> Plugin:
    problems: list[Problem] = []
    try:
        if path.is_file():
            return _single_file(path)
        if not path.is_dir():
            return Broken(str(path), (Problem("", "no such folder or file"),))
        raw = manifest.read(path / CONFIG, problems)
        code = path / CODE
        if not code.is_file():
            problems.append(Problem(CODE, "is no regular file" if os.path.lexists(code) else "is missing"))
        # Of a folder that lacks its code there is no more to say: it may be any folder, as large as any.
        code_hash = content.code_hash(path, problems) if code.is_file() else ""
        lock = requirements.read(path, problems) if code.is_file() else None
    except OSError as error:
        about = Path(str(error.filename or path)).name
        return Broken(str(path), (*problems, Problem(about, f"{error.strerror}")))
    facts = {} if raw is None else manifest.facts(raw, problems)
    if problems:
        return Broken(str(path), tuple(problems))
    built_in = path.parent == BUILT_IN
    return Found(path=str(path), lock=lock, code_hash=code_hash, built_in=built_in, **facts)


def _single_file(path: Path) -> Plugin:
    if path.suffix != ".py" or manifest.NAME.fullmatch(path.stem) is None:
        return Broken(str(path), (Problem("", "a strategy is a folder, or a .py file with a plain name"),))
    if path.stat().st_size > manifest.MAX_BYTES:
        return Broken(str(path), (Problem("", f"is larger than {manifest.MAX_BYTES:,} bytes"),))
    digest = hashlib.sha256(content.read(path, manifest.MAX_BYTES)).hexdigest()
    # Without a config.json there is no version to give: the content is the version.
    return Found(name=path.stem, version=f"0+{digest[:12]}", path=str(path), code_hash=digest)


def _version_key(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Order 1.9 before 1.10, and 2.0-rc1 before 2.0."""
    numbers, rest = re.match(r"([0-9.]*)(.*)", version).groups()  # type: ignore[union-attr]  # always matches
    return tuple(int(part) for part in numbers.split(".") if part), not rest, rest
