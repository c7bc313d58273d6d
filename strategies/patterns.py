r"""Regular expressions that authors write and the daemon matches: which are taken, and over how long a text.

``re`` has no time limit, backtracks, and holds the interpreter while it does: ``(a+)+$`` takes centuries over
40 characters, and so does ``a?`` forty times before forty ``a``. So what a match comes to is bounded before
it is begun. It tries at most every way of sharing ``n`` characters out among ``r`` repeats, which are
``C(n + r, r)``, times two for each ``?`` and each ``|``: the leaves of its tree of decisions. Groups that are
repeated would make a tree within each leaf, and are not taken. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

MAX_PATTERN: Final = 200
"""Characters of a pattern."""
MAX_TEXT: Final = 256
"""Characters of a text that is matched, whatever the pattern."""
MAX_REPEATS: Final = 3
MAX_WAYS: Final = 2**16
"""Ways in which one text may be matched: below a millisecond."""
MAX_WAYS_OF_LIST: Final = 2**20
"""Ways in which the items of one list may be matched, together."""
LEAST_TEXT: Final = 40
"""Characters that a pattern has to be able to match; one that cannot is of no use."""
_SIMPLE: Final = re.compile(r"\\.|\[(?:\\.|[^\]])*\]", re.DOTALL)
"""Escapes and sets of characters, in which nothing repeats."""
_REPEAT: Final = re.compile(r"[*+]|\{\d*,?\d*\}")


class Choices(Struct, frozen=True):
    """What a match has to decide: lengths of ``repeats``, and ``turns`` of two ways each."""

    repeats: int
    turns: int

    def ways(self, length: int) -> int:
        """Return in how many ways a text of ``length`` characters may be tried, at most."""
        return math.comb(length + self.repeats, self.repeats) << self.turns

    @property
    def longest(self) -> int:
        """The length of a text up to which it is matched in ``MAX_WAYS``; -1 if there is none."""
        return next((n for n in range(MAX_TEXT, -1, -1) if self.ways(n) <= MAX_WAYS), -1)


def choices_of(pattern: str) -> Choices:
    """Return what a match with ``pattern`` decides; it repeats no group."""
    bare = _SIMPLE.sub("x", pattern).replace("(?:", "(")
    return Choices(len(_REPEAT.findall(bare)), bare.count("?") + bare.count("|"))


def why_slow(pattern: str) -> str:
    """Return why ``pattern`` is refused, a clause, or "" for one that is taken."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"{pattern!r} is no regular expression: {error}"
    bare = _SIMPLE.sub("x", pattern)
    if re.search(r"\)(?:[*+]|\{)", bare) or re.search(r"\(\?[^:]", bare) or re.search(r"\\[1-9]", pattern):
        return f"{pattern!r} repeats a group, looks around or refers back, which can take for ever"
    found = choices_of(pattern)
    if found.repeats > MAX_REPEATS:
        return f"{pattern!r} has more than {MAX_REPEATS} repeats, which can take for ever"
    if found.longest < LEAST_TEXT:
        return (
            f"{pattern!r} can be matched in too many ways, which can take for ever: "
            f"it has {found.turns} of ? and | with {found.repeats} of * + and {{}}"
        )
    return ""


def matches(pattern: str, texts: Sequence[object]) -> bool:
    """Whether all of ``texts`` are text like ``pattern``; raises ``ValueError`` where that takes too long."""
    found = choices_of(pattern)
    longest = found.longest
    ways = 0
    for text in texts:
        if not isinstance(text, str):
            return False
        if len(text) > longest:
            raise ValueError(f"expected text of at most {longest} characters like {pattern}")
        ways += found.ways(len(text))
        if ways > MAX_WAYS_OF_LIST:
            raise ValueError(f"expected fewer or shorter items, which are matched with {pattern}")
        if re.fullmatch(pattern, text) is None:
            return False
    return True
