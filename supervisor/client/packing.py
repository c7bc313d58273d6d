"""What is handed in to be registered: a class, source, a file, a folder or a zip, made into what can be sent.

A class that stands in a file goes as the text of that file: it can be read, compared and kept for audit. One
that stands in none (a notebook, a prompt) goes as a pickle, which is opened in the daemon's sandbox and
nowhere else; this package writes them (``pickled``) and opens none.
"""

from __future__ import annotations

import inspect
import io
import zipfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from supervisor.client.errors import Unsendable
from supervisor.client.pickled import python_version, source_in_memory, to_pickle

MOST_BYTES: Final = 16 * 2**20
"""Of all files of a folder, before they are packed."""
MOST_FILES: Final = 1000
LEFT_OUT: Final = frozenset({"__pycache__", "node_modules"})
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file in a zip, so that the same files are the same bytes."""


class Packed(NamedTuple):
    """What is sent: ``fields`` of a JSON body (``code``, or ``pickled`` and more), or ``archive``."""

    name: str
    fields: dict[str, Any]
    archive: bytes | None = None


def pack(what: type | str | Path, *, pickled: bool | None = None) -> Packed:
    """Return ``what`` as it is sent, and a name for it. ``Unsendable`` for what is none of them.

    A ``str`` with a line break is source, another one a path. ``pickled`` True or False decides for a class.
    """
    if isinstance(what, type):
        return _of_class(what, pickled)
    if isinstance(what, str) and "\n" in what:
        return Packed("", {"code": what})
    return _of_path(Path(what))


def _of_class(what: type, pickled: bool | None) -> Packed:
    file = None if "<locals>" in what.__qualname__ else _file_of(what)
    if file is not None and not pickled:
        return Packed(what.__name__, {"code": _text(file)})
    if pickled is False:
        raise Unsendable(f"{what.__qualname__} stands at the top of no file, so it can only be pickled")
    fields = {"pickled": to_pickle(what), "python": python_version(), "source": source_in_memory(what)}
    return Packed(what.__name__, fields)


def _file_of(what: type) -> Path | None:
    try:
        file = inspect.getsourcefile(what)
    except (OSError, TypeError):  # of a notebook, a prompt, or built in
        return None
    return Path(file) if file is not None and Path(file).is_file() else None


def _of_path(path: Path) -> Packed:
    if path.is_dir():
        return Packed(path.resolve().name, {}, zipped(path))
    if path.suffix == ".zip" and path.is_file():
        return Packed(path.stem, {}, _read(path))
    if path.is_file():
        if path.suffix != ".py":  # what is packed elsewhere is told of an archive that nobody sees
            raise Unsendable(f"{path}: a strategy is a folder, a .zip or a .py file")
        return Packed(path.stem, {"code": _text(path)})
    raise Unsendable(f"{path}: there is no such folder or file")


def _text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError:
        raise Unsendable(f"{path}: is not Python source in UTF-8") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)  # a device may have no end
    except OSError as error:
        raise Unsendable(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise Unsendable(f"{path}: is larger than {MOST_BYTES} bytes")
    return data


def zipped(folder: Path) -> bytes:
    """Return the files of ``folder`` as a zip, always the same for the same files.

    Hidden ones and compiled ones stay behind. ``Unsendable`` for a link, which would not be one elsewhere.
    """
    into, size = io.BytesIO(), 0
    files = sorted(_files(folder))
    if len(files) > MOST_FILES:
        raise Unsendable(f"{folder}: has more than {MOST_FILES} files")
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            data = _read(path)
            size += len(data)
            if size > MOST_BYTES:
                raise Unsendable(f"{folder}: its files are larger than {MOST_BYTES} bytes together")
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return into.getvalue()


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_symlink():
            raise Unsendable(f"{path}: is a link; put the file itself there")
        if path.is_dir():
            found += _files(path)
        elif path.is_file():
            found.append(path)
        if len(found) > MOST_FILES:
            break
    return found
