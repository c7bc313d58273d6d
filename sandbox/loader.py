"""User code, loaded by path under a private name, never through ``sys.path``. Runs in the strategy process.

A strategy is a folder with ``strategy.py``, or one file. Its siblings can be imported relatively
(``from . import pricing``) or by their plain name (``import pricing``); the plain name is looked up
last, so a strategy's ``json.py`` never takes the place of the library's.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

PACKAGE = "_user_strategy"
"""Private package under which the code of this process' one strategy is known."""
ENTRY = "strategy.py"


class LoadError(Exception):
    """The code cannot be loaded; the text says what and where, in lines for its author."""


class _Siblings(importlib.abc.MetaPathFinder):
    """Finds modules beside the strategy by their plain name; the last finder asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a top-level module or package of the folder, None if it has none."""
        if path is not None or "." in fullname or fullname == ENTRY.removesuffix(".py"):
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [str(self._folder)], target)


def load(code_path: str) -> ModuleType:
    """Import the strategy at ``code_path`` (a folder or a ``.py`` file) and return its module.

    ``LoadError`` if there is none or it is no Python; what its own code raises passes through.
    Once a process: a second call replaces the first one's modules.
    """
    given = Path(code_path)
    path = given / ENTRY if given.is_dir() else given
    if not path.is_file():
        raise LoadError(f"{path}: no such file; a strategy is a folder with {ENTRY}, or one .py file")
    forget()
    package = ModuleType(PACKAGE, "The folder of the strategy.")
    package.__path__ = [str(path.parent)]
    sys.modules[PACKAGE] = package
    sys.meta_path.append(_Siblings(path.parent))
    name = f"{PACKAGE}.{path.stem}"
    # By its loader: a file of any name is Python if it was registered as a strategy.
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(
        importlib.machinery.ModuleSpec(name, loader, origin=str(path), is_package=False)
    )
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        where = f"{error.filename or path}" + (f":{error.lineno}" if error.lineno else "")
        raise LoadError(": ".join(filter(None, (where, error.msg, (error.text or "").strip())))) from None
    return module


def forget() -> None:
    """Drop the modules of a strategy loaded before, and what finds them."""
    if PACKAGE not in sys.modules:  # in a cell always: looking at every name copies their pages
        return
    for name in [n for n in sys.modules if n == PACKAGE or n.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Siblings)]
