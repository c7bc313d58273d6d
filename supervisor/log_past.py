"""The last lines of a rotated log, read from its end: as much of it as was asked for. Blocks: for a thread.

A log goes on while it is read. What counts is how it stood when it was asked for: each file that there was,
up to the size that it had (``standing``), under whatever name it is found by then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

PIECE: Final = 64 * 1024
"""Bytes read at once."""
T = TypeVar("T")


def standing(paths: Sequence[Path]) -> dict[int, int]:
    """Return the size of each file that there is, by its inode."""
    found = {}
    for path in paths:
        with suppress(OSError):
            file = path.stat()
            found[file.st_ino] = file.st_size
    return found


def last(
    paths: Sequence[Path], sizes: Mapping[int, int], limit: int, parse: Callable[[str], T | None]
) -> list[T]:
    """Return the last ``limit`` lines that ``parse`` takes of files as they stood, the oldest line first.

    ``paths`` are the newest file first. What cannot be read is left out.
    """
    found: list[T] = []
    left = dict(sizes)
    for path in paths:
        with suppress(OSError), path.open("rb") as file:
            now = os.fstat(file.fileno())
            # One that is new is of later; one that was renamed meanwhile is met again under its other name.
            size = min(left.pop(now.st_ino, 0), now.st_size)
            for raw in _backwards(file, size):
                if len(found) >= limit:
                    return found[::-1]
                if (line := parse(raw.decode("utf-8", "replace"))) is not None:
                    found.append(line)
    return found[::-1]


def _backwards(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the lines of the first ``size`` bytes, the last one first, without what ends them."""
    rest = b""
    while size > 0:
        begin = max(0, size - PIECE)
        file.seek(begin)
        piece = file.read(size - begin) + rest
        size = begin
        # The first one may have begun before: a lone carriage return or another separator ends no line.
        rest, *lines = piece.split(b"\n")
        yield from filter(None, reversed(lines))
    if rest:
        yield rest
