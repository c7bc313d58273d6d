"""Processes that end with the tests, however those end: an interrupted worker runs no fixture to its end."""

from __future__ import annotations

import os

_TIE = "from sandbox.confine.process import die_with_parent\ndie_with_parent({parent})\n"


def tied(program: str) -> str:
    """Return ``program`` (for ``python -c``) as one that is killed when the thread that starts it has ended.

    What a daemon has started goes with it, which is its own doing.
    """
    return _TIE.format(parent=os.getpid()) + program
