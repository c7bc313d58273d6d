"""How a room is shared when more is wanted than there is of it: max-min fairly. Pure.

Who wants little gets all of it, and what is left is shared equally by the others, so that nobody can take
from who has less than he does (Bertsekas and Gallager, Data Networks, 6.5.2).
"""

from __future__ import annotations

from collections.abc import Iterable


def fair_level(demands: Iterable[int], room: int) -> int:
    """Return the highest level for which ``demands``, none of them above it, fit into ``room``."""
    waiting = sorted(demands)
    for place, demand in enumerate(waiting):
        level = room // (len(waiting) - place)
        if demand > level:
            return level
        room -= demand
    return waiting[-1] if waiting else 0
