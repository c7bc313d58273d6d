"""The tape's folder: who holds it, which segments lie in it, and the name of its numbering."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SUFFIX: Final = ".tape"


class TapeError(Exception):
    """The tape cannot be opened, read or written; the text says which and why. Nothing was half done.

    ::

        TapeError
        └── TapeGone   the offset lies before what is kept
    """


class TapeGone(TapeError):
    """What was asked for was dropped, to stay within the limit."""


class Damaged(Exception):
    """Why a tape as it lies on disk cannot be gone on with."""


def lock(folder: Path) -> int:
    """Make ``folder``, ours alone, and lock it for as long as the descriptor returned is open, flock(2).

    Raises ``TapeError`` if another process has it, else ``OSError``.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        held = _try_lock(descriptor) and os.path.samestat(os.fstat(descriptor), folder.lstat())
        os.fchmod(descriptor, 0o700)
    except OSError:
        os.close(descriptor)
        raise
    if not held:  # or its holder has just moved it aside
        os.close(descriptor)
        raise TapeError(f"the tape {folder} is in use by another process")
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def segment_path(folder: Path, base: int) -> Path:
    """Return the path of the segment that begins at offset ``base``."""
    return folder / f"{base:020d}{SUFFIX}"


def segments(folder: Path) -> tuple[list[int], int]:
    """Return the offsets at which the segments begin, ascending, and the end of the last.

    Raises ``Damaged`` where one does not end where the next begins.
    """
    names = [path.stem for path in folder.glob("*" + SUFFIX)]
    bases = sorted(int(name) for name in names if name.isdecimal())
    ends = [base + segment_path(folder, base).stat().st_size for base in bases]
    for base, end, following in zip(bases, ends, bases[1:], strict=False):
        if end != following:
            raise Damaged(f"the segment at {base} ends at {end}, and the next begins at {following}")
    return bases, ends[-1] if ends else 0


def known_identity(folder: Path) -> int:
    """Return the identity kept in ``folder``. Raises ``Damaged``."""
    try:
        known = int((folder / "identity").read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        raise Damaged("its identity is missing or unreadable") from None
    if known <= 0:
        raise Damaged(f"its identity is {known}")
    return known


def make_identity(folder: Path) -> int:
    """Give the tape in ``folder`` an identity: unix time in ns."""
    made = time.time_ns()
    draft = folder / "identity.new"
    with opened(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
        os.write(file, b"%d\n" % made)
        os.fsync(file)
    draft.rename(folder / "identity")
    return made


def set_aside(folder: Path) -> Path:
    """Rename a tape so that nobody takes it up again, and return its new name. Raises ``OSError``."""
    number = 1
    while (target := folder.with_name(f"{folder.name}.damaged-{number}")).exists():
        number += 1
    return folder.rename(target)


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open ``path`` for as long as the block lasts; a new file is ours alone."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
