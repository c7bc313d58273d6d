"""The folders of registered code: ``NAME/VERSION/ENTRY``, each written once under a name nobody looks at.

Rules of this file. It blocks: the daemon calls it on a worker thread. What lies here is made of what the
database keeps, and is made again where it is missing or is not what it was.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from strategies.plugins import Found, inspect

DRAFT: Final = ".new-"


class Shelf:
    """The folders below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def draft(self, entry: str, files: Mapping[str, bytes]) -> Path:
        """Write ``files`` into a new draft, and return the strategy's path in it. ``OSError``.

        ``entry`` is the folder's name, or that of its only file. Readable for all: a cell is another user.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self._folder))
        try:
            _write(draft if entry.endswith(".py") else draft / entry, files)
            draft.chmod(0o755)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return draft / entry

    def drop(self, drafted: Path) -> None:
        """Remove a draft, if it is still one."""
        shutil.rmtree(drafted.parent, ignore_errors=True)

    def keep(self, drafted: Path, name: str, version: str) -> Path:
        """Give a draft its place, and return the strategy's path there. ``OSError``."""
        target = self._folder / name / version
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # one that nobody knows of: else this would not be kept
        os.rename(drafted.parent, target)  # noqa: PTH104 - rename(2) is what is meant
        return target / drafted.name

    def path(self, name: str, version: str, entry: str) -> Path:
        """Return where a version lies."""
        return self._folder / name / version / entry

    def holds(self, path: Path, code_hash: str) -> bool:
        """Whether what lies at ``path`` is what was registered."""
        found = inspect(path)
        return isinstance(found, Found) and found.code_hash == code_hash

    def remove(self, name: str, version: str) -> None:
        """Remove a version."""
        shutil.rmtree(self._folder / name / version, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the drafts that a daemon which was killed has left."""
        for left in self._folder.glob(f"{DRAFT}*"):
            shutil.rmtree(left, ignore_errors=True)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # whatever the umask
    for name, content in files.items():
        target = folder / name
        for above in reversed(target.relative_to(folder).parents[:-1]):
            (folder / above).mkdir(exist_ok=True)
            (folder / above).chmod(0o755)
        target.write_bytes(content)
        target.chmod(0o444)
