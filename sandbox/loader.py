"""User code, loaded by path under a private name, never through ``sys.path``. Runs in the strategy process.

A strategy is a folder with ``strategy.py``, or one file. Its siblings can be imported relatively
(``from . import pricing``) or by their plain name (``import pricing``); the plain name is looked up
last, so a strategy's ``json.py`` never takes the place of the library's.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import stat
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

PACKAGE = "_user_strategy"
"""Private package under which the code of this process' one strategy is known."""
ENTRY = "strategy.py"


class LoadError(Exception):
    """The code cannot be loaded; the text says what and where, in lines for its author."""


def _source_loader(root: str, shown: str) -> type[importlib.machinery.SourceFileLoader]:
    """Return a loader for the files under ``root``: from their source, named as their author knows them.

    From source, because a ``.pyc`` beside it need not be what was hashed and shown. ``root`` is where this
    process finds the strategy, ``shown`` where the author put it: that is what tracebacks name.
    """

    class Source(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the protocol's signature
            name = shown + self.path.removeprefix(root)
            try:
                return self.source_to_code(self.get_data(self.path), name)
            except ValueError as error:  # a null byte, before Python 3.11.4 (CPython gh-96670)
                raise SyntaxError(str(error), (name, None, None, None)) from None

    return Source


class _FolderHook:
    """A path hook (``sys.path_hooks``) for the strategy's folder: its own loader, and compiled extensions."""

    def __init__(self, root: str, kind: type[importlib.machinery.SourceFileLoader]) -> None:
        self._root = root
        self._loaders = (
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (kind, importlib.machinery.SOURCE_SUFFIXES),
        )

    def __call__(self, path: str) -> importlib.machinery.FileFinder:
        if path != self._root and not path.startswith(f"{self._root}/"):
            raise ImportError(f"{path} is not of the strategy")
        return importlib.machinery.FileFinder(path, *self._loaders)


class _Siblings(importlib.abc.MetaPathFinder):
    """Finds modules beside the strategy by their plain name; the last finder asked."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a top-level module or package of the folder, None if it has none."""
        if path is not None or "." in fullname or fullname == ENTRY.removesuffix(".py"):
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [self._folder], target)


def load(code_path: str, *, shown: str = "") -> ModuleType:
    """Import the strategy at ``code_path`` (a folder or a ``.py`` file) and return its module.

    ``shown`` is what that path is called outside, where it is called otherwise.
    ``LoadError`` if there is none or it is no Python; what its own code raises passes through.
    Once a process: a second call replaces the first one's modules.
    """
    try:
        return _load(code_path, shown)
    except PermissionError as error:
        if not str(error.filename).startswith(code_path):
            raise  # of what the strategy itself opens, as it is loaded
        file = (shown or code_path) + str(error.filename).removeprefix(code_path)
        raise LoadError(
            f"{file}: {error.strerror}: may not be read by the user that strategies run as here: chmod -R "
            f"a+rX {shown or code_path} (the folders above it may stay closed)"
        ) from None


def _load(code_path: str, shown: str) -> ModuleType:
    # Strings and os.path: a Path would touch, and so copy, 0.3 MiB of what a cell shares.
    is_folder = os.path.isdir(code_path)  # noqa: PTH112
    entry = f"/{ENTRY}" if is_folder else ""
    path = code_path + entry
    if not _is_file(path):
        missing = (shown or code_path) + entry
        raise LoadError(f"{missing}: no such file; a strategy is a folder with {ENTRY}, or one .py file")
    forget()
    kind = _source_loader(code_path, shown or code_path)
    package = ModuleType(PACKAGE, "The folder of the strategy.")
    package.__path__ = []
    sys.modules[PACKAGE] = package
    if is_folder:
        package.__path__ = [code_path]
        sys.path_hooks.insert(0, _FolderHook(code_path, kind))
        sys.meta_path.append(_Siblings(code_path))
    name = f"{PACKAGE}.{os.path.basename(path).rpartition('.')[0] or ENTRY}"  # noqa: PTH119
    # By its loader: a file of any name is Python if it was registered as a strategy.
    loader = kind(name, path)
    module = importlib.util.module_from_spec(
        importlib.machinery.ModuleSpec(name, loader, origin=path, is_package=False)
    )
    module.__file__ = path
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        where = f"{error.filename or path}" + (f":{error.lineno}" if error.lineno else "")
        raise LoadError(": ".join(filter(None, (where, error.msg, (error.text or "").strip())))) from None
    return module


def _is_file(path: str) -> bool:
    """As ``os.path.isfile``, but that it may not be looked at is an error: ``PermissionError``."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False


def forget() -> None:
    """Drop the modules of a strategy loaded before, and what finds them."""
    if PACKAGE not in sys.modules:  # in a cell always: looking at every name copies their pages
        return
    for name in [n for n in sys.modules if n == PACKAGE or n.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Siblings)]
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if not isinstance(hook, _FolderHook)]
