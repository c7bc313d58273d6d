"""The files of a strategy: walked by descriptors, for their hash and for a copy that is what was hashed.

Rules of this file. Whatever takes a file's place meanwhile, nothing is waited for and nothing outside the
folder is read: each file is opened below the descriptor of the folder, through no link (O_NOFOLLOW), without
blocking (O_NONBLOCK, fifo(7)), and only then looked at (fstat(2)).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from strategies.errors import Problem

MAX_FILES: Final = 2_000
MAX_BYTES: Final = 256 * 2**20
"""A folder's files, models included; more is not a strategy but a data set in the wrong place."""
MAX_DEPTH: Final = 32
"""Folders within folders: each is a descriptor while it is walked."""
MAX_PROBLEMS: Final = 20
"""Files of a folder are looked at until so many things are wrong with it."""
_IGNORED: Final = {"__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
_PIECE: Final = 2**20
_READING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

TOO_MUCH: Final = f"too much for a strategy: at most {MAX_FILES} files and {MAX_BYTES // 2**20} MiB"


class Part(NamedTuple):
    """A folder, a file or a link, by its path below the folder walked.

    ``file`` is a descriptor to read of, valid until the next part; ``link`` where a link to a folder leads,
    below the folder walked as well. A link to a file is a file: what it leads to.
    """

    path: str
    file: int | None = None
    link: str = ""


def code_hash(folder: Path, problems: list[Problem]) -> str:
    """Return the SHA-256 over every file's path and content, in the order of names; "" if much is wrong.

    Links out of the folder are refused: what they point at could change, or be a secret of the daemon.
    """
    return _digest(folder, problems, None)


def copy(source: Path, target: Path) -> None:
    """Copy the files that count to ``target``, which is made, readable for all. ``OSError``.

    What is wrong with them is left out: so the copy is another than what was hashed.
    """
    if not source.is_dir():
        target.write_bytes(read(source, MAX_BYTES))
        target.chmod(0o444)
        return
    target.mkdir(mode=0o700)
    target.chmod(0o755)
    _digest(source, [], target)


def read(path: Path, most: int, *, follow: bool = True) -> bytes:
    """Return at most ``most`` bytes of a regular file; ``follow`` links too. ``OSError`` if it is none."""
    file = os.open(path, _READING | (0 if follow else os.O_NOFOLLOW))
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(0, "is no regular file", str(path))
        return b"".join(_pieces(file, most))
    finally:
        os.close(file)


class Shown(NamedTuple):
    """A file to be read by people: its ``content`` None where it is larger than was asked for."""

    path: str
    size: int
    content: bytes | None


def show(path: Path, *, each: int, all_of_it: int) -> list[Shown]:
    """Return the files that count, in the order of names; of each at most ``each`` bytes. ``OSError``.

    After ``all_of_it`` bytes only names and sizes are told.
    """
    shown: list[Shown] = []
    left = all_of_it
    if not path.is_dir():
        content = read(path, min(each, left) + 1)
        return [_shown(path.name, max(len(content), path.stat().st_size), content, min(each, left))]
    for part in _walk(path, []):
        if part.file is None or len(shown) >= MAX_FILES:
            continue
        most = min(each, left)
        content = b"".join(_pieces(part.file, most + 1))
        shown.append(_shown(part.path, max(len(content), os.fstat(part.file).st_size), content, most))
        left -= len(shown[-1].content or b"")
    return shown


def _shown(path: str, size: int, content: bytes, most: int) -> Shown:
    return Shown(path, size, content if len(content) <= most else None)


def _digest(folder: Path, problems: list[Problem], target: Path | None) -> str:
    digest = hashlib.sha256()
    left = MAX_BYTES
    for count, part in enumerate(_walk(folder, problems)):
        if count >= MAX_FILES:
            problems.append(Problem(part.path, TOO_MUCH))
            return ""
        if part.file is None:
            if target is not None:
                _make(target, part)
            content = hashlib.sha256(b"-> " + os.fsencode(part.link)).digest()
            if not part.link:
                continue  # a folder is known by its files
        else:
            content, size = _take(part.file, left + 1, None if target is None else target / part.path)
            left -= size
            if left < 0:
                problems.append(Problem(part.path, TOO_MUCH))
                return ""
        name = os.fsencode(part.path)
        digest.update(len(name).to_bytes(4, "big") + name + content)
    return "" if len(problems) >= MAX_PROBLEMS else digest.hexdigest()


def _take(file: int, most: int, target: Path | None) -> tuple[bytes, int]:
    """Return the hash and the size of a file, copied to ``target`` if there is one."""
    digest, size = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    copied = None if target is None else os.open(target, flags, 0o600)
    try:
        for piece in _pieces(file, most):
            digest.update(piece)
            size += len(piece)
            if copied is not None:
                _write(copied, piece)
        if copied is not None:
            os.fchmod(copied, 0o444)
    finally:
        if copied is not None:
            os.close(copied)
    return digest.digest(), size


def _make(target: Path, part: Part) -> None:
    at = target / part.path
    if part.link:
        at.symlink_to(os.path.relpath(target / part.link, at.parent))
        return
    at.mkdir(mode=0o700)
    at.chmod(0o755)  # whatever the umask


def _pieces(file: int, most: int) -> Iterator[bytes]:
    while most > 0 and (piece := os.read(file, min(_PIECE, most))):
        most -= len(piece)
        yield piece


def _write(file: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(file, view) :]


# ---- the walk ---------------------------------------------------------------------------------------
def _walk(folder: Path, problems: list[Problem]) -> Iterator[Part]:
    """Yield everything that counts, a folder's files before what is in its folders."""
    root = os.open(folder, _FOLDER)
    try:
        yield from _below(_Root(Path(os.path.realpath(folder)), root), root, "", problems)
    finally:
        os.close(root)


class _Root(NamedTuple):
    path: Path
    file: int


def _below(root: _Root, at: int, prefix: str, problems: list[Problem]) -> Iterator[Part]:
    folders = []
    for name in sorted(os.listdir(at)):
        if len(problems) >= MAX_PROBLEMS:
            return
        path = prefix + name
        kind = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            if name not in _IGNORED:
                folders.append(name)
        elif stat.S_ISLNK(kind):
            yield from _link(root, path, problems)
        elif name.endswith((".pyc", ".pyo")):
            continue
        elif stat.S_ISREG(kind):
            yield from _file(name, at, path, problems)
        else:
            problems.append(Problem(path, "is no regular file"))
    if folders and prefix.count("/") >= MAX_DEPTH:
        problems.append(Problem(prefix, f"too deep for a strategy: at most {MAX_DEPTH} folders"))
        return
    for name in folders:
        inner = os.open(name, _FOLDER, dir_fd=at)
        try:
            yield Part(prefix + name)
            yield from _below(root, inner, f"{prefix}{name}/", problems)
        finally:
            os.close(inner)


def _link(root: _Root, path: str, problems: list[Problem]) -> Iterator[Part]:
    leads = Path(os.path.realpath(root.path / path))
    if not leads.is_relative_to(root.path):
        problems.append(Problem(path, "is a link that leads out of the folder"))
        return
    inside = leads.relative_to(root.path)
    if _IGNORED.intersection(inside.parts):
        problems.append(Problem(path, "is a link to what does not count"))
        return
    at = os.dup(root.file)
    try:
        for folder in inside.parent.parts:  # each by itself: O_NOFOLLOW is about the last name only
            at, above = os.open(folder, _FOLDER, dir_fd=at), at
            os.close(above)
        kind = os.stat(inside.name or ".", dir_fd=at, follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            yield Part(path, link=inside.as_posix())
        elif stat.S_ISREG(kind):
            if not path.endswith((".pyc", ".pyo")):
                yield from _file(inside.name, at, path, problems)
        else:
            problems.append(Problem(path, "is no regular file"))
    except FileNotFoundError:
        problems.append(Problem(path, "is no regular file"))
    finally:
        os.close(at)


def _file(name: str, at: int, path: str, problems: list[Problem]) -> Iterator[Part]:
    file = os.open(name, _READING | os.O_NOFOLLOW, dir_fd=at)
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            yield Part(path, file)
        else:
            problems.append(Problem(path, "is no regular file"))
    finally:
        os.close(file)
