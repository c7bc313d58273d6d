"""Which of two sets of values differ, by name. For the daemon and for cells: it needs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ABSENT: Final = object()


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the names whose values differ, or that only one of the two has, in order."""
    names = dict.fromkeys([*old, *new])
    return sorted(name for name in names if not _same(old.get(name, _ABSENT), new.get(name, _ABSENT)))


def _same(one: object, other: object) -> bool:
    """Whether two values are equal and of one type: 1, 1.0 and true are three."""
    return type(one) is type(other) and one == other
