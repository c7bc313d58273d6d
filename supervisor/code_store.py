"""Copies of the strategies' code, by hash: what a cell runs is what was hashed, whoever edits it.

Rules of this file. It blocks: the daemon calls it on a worker thread. A copy is made when the catalogue takes
a strategy in, under a name that nobody looks at, and gets its own, the hash, once it was found to have it; so
one that a crash cut short is never used. A daemon looks at each copy once: it lies in its own folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from strategies import content
from strategies.errors import Problem
from strategies.plugins import Broken, Found, inspect

_NEW = ".new-"
CHANGED = "changed while it was looked at; scan again once it is at rest"


class Kept(NamedTuple):
    """A strategy as its copy says it is, and where that lies: an absolute path without a link in it."""

    found: Found
    path: str


class CodeStore:
    """The copies in ``folder``, each as ``HASH/NAME`` with the name that its author gave it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Kept] = {}
        """By path of the original; good as long as the hash is the same."""

    def keep(self, found: Found) -> Kept | Broken:
        """Return the copy of a strategy, made if there is none yet; ``Broken`` if it cannot be had."""
        known = self._known.get(found.path)
        if known is not None and known.found == found and Path(known.path).exists():
            return known
        try:
            kept = self._copy_of(found) or self._take(found)
        except OSError as error:
            return Broken(found.path, (Problem("", f"cannot be copied: {error.strerror}"),))
        if kept is None:
            return Broken(found.path, (Problem("", CHANGED),))
        self._known[found.path] = kept
        return kept

    def tidy(self, wanted: set[str]) -> list[str]:
        """Remove every copy but those of the hashes ``wanted``; return what was removed."""
        if not self._folder.is_dir():
            return []
        gone = sorted(entry.name for entry in self._folder.iterdir() if entry.name not in wanted)
        for name in gone:
            shutil.rmtree(self._folder / name, ignore_errors=True)
        self._known = {path: kept for path, kept in self._known.items() if kept.found.code_hash in wanted}
        return gone

    def _copy_of(self, found: Found) -> Kept | None:
        """Return the copy if it is there and is what it is called, else None."""
        path = self._folder.resolve() / found.code_hash / Path(found.path).name
        copy = inspect(path)
        if not isinstance(copy, Found) or copy.code_hash != found.code_hash:
            return None
        # What stands in its config.json too is taken from the copy alone: the original may be another by now.
        sure = replace(copy, path=found.path)
        return Kept(sure, str(path)) if sure.reference == found.reference else None

    def _take(self, found: Found) -> Kept | None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=_NEW, dir=self._folder))
        try:
            name = Path(found.path).name
            content.copy(Path(found.path), draft / name)
            draft.chmod(0o755)
            copy = inspect(draft / name)
            if isinstance(copy, Found) and copy.code_hash == found.code_hash:
                target = self._folder / found.code_hash
                shutil.rmtree(target, ignore_errors=True)  # one that is not what it is called
                os.rename(draft, target)  # noqa: PTH104 - rename(2) is what is meant
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return self._copy_of(found)
