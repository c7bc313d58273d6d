"""Near matches for a name that nobody knows: the half of an error message that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 128
"""Characters of a name that is compared: it takes their square, and nobody means a name by a longer one."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'a' or 'b'?"`` for the nearest known names, else ``"; known: a, b"``, else ``""``."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6) if len(name) <= LONGEST else []
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; known: {', '.join(names)}" if names else ""
