"""Fills the holes in the zygote's heap before it forks: what cells allocate then lies close together.

CPython keeps small objects by size, in pools of one page group each (Objects/obmalloc.c). After the imports
hundreds of pools have a free block here and there, and a cell's first thousand objects would each go into
another of them: a page copied an object. Filled up, they go into pages of the cell's own, side by side.
"""

from __future__ import annotations

import os
import re
import sys

_HEADER = sys.getsizeof(b"")
"""Bytes that a ``bytes`` object takes besides its content."""
_ROW = re.compile(rb"^ *\d+ +(\d+) +\d+ +\d+ +(\d+)$", re.MULTILINE)
"""Of what ``sys._debugmallocstats`` writes: class, size, pools, blocks in use, blocks that are free."""


def free_blocks() -> dict[int, int]:
    """Return how many blocks of each size (bytes) are free in pools that are in use; {} where nobody says."""
    tell = getattr(sys, "_debugmallocstats", None)
    if tell is None:
        return {}
    told, stderr = os.memfd_create("malloc"), os.dup(2)
    try:
        os.dup2(told, 2)
        try:
            tell()
        finally:
            os.dup2(stderr, 2)
        found = _ROW.findall(os.pread(told, 2**20, 0))
    finally:
        os.close(stderr)
        os.close(told)
    return {int(size): int(free) for size, free in found}


def fill() -> list[object]:
    """Take every free block; keep what is returned for as long as the holes are to be filled."""
    taken: list[object] = []
    for size, free in free_blocks().items():
        if size > _HEADER:
            taken += [bytes(size - _HEADER) for _ in range(free)]
        elif size > 16:
            taken += [float(number) for number in range(free)]
        else:
            taken += [object() for _ in range(free)]
    return taken
