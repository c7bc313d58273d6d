"""Latches: what bars a deployment or an account until an operator takes it back.

A latch is set once and stays, over restarts and trading days. While one is set another of the same strength
or less changes nothing; a stronger one takes its place. What each kind does is one table (``EFFECTS``). The
exits that the engine owns (stops, targets, square-off) act under every latch: they only take risk away.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

Scope: TypeAlias = Literal["account", "deployment"]
LatchKind: TypeAlias = Literal["pause", "exit_only", "flatten", "lock"]


class Latch(Struct, frozen=True, array_like=True, kw_only=True):
    """One latch that is set: by a limit (``rule`` names it) or by an operator (``reason`` is theirs)."""

    scope: Scope
    name: str
    kind: LatchKind
    rule: str
    reason: str
    at: int
    by: Literal["limit", "operator"] = "limit"
    seq: int = 0


class Effect(Struct, frozen=True):
    """What a kind of latch does to signals, to orders that wait, and to positions.

    ``entries`` and ``exits`` name the rule that refuses such signals, "" lets them through; a cancel counts
    as an exit. When it is set, ``cancels`` ends the orders that wait to open or add to a position
    (``entries``), or every one of a strategy's (``all``); ``closes`` has the engine exit every position.
    """

    entries: str
    exits: str
    cancels: Literal["entries", "all"]
    closes: bool


EFFECTS: Final[dict[LatchKind, Effect]] = {
    # Weakest first. An entry that waits would be filled after the breach: no latch leaves one.
    "exit_only": Effect("latch_exit_only", "", "entries", closes=False),
    "pause": Effect("latch_pause", "latch_pause", "entries", closes=False),
    "flatten": Effect("latch_flatten", "", "all", closes=True),
    "lock": Effect("latch_lock", "latch_lock", "all", closes=True),
}
LATCH_KINDS: Final = tuple(EFFECTS)
_STRENGTH: Final = {kind: strength for strength, kind in enumerate(EFFECTS)}


def refusing(latch: Latch | None, exits: bool) -> str:
    """Return the rule by which ``latch`` refuses an exit, or else an entry; "" lets it through."""
    if latch is None:
        return ""
    effect = EFFECTS[latch.kind]
    return effect.exits if exits else effect.entries


def stronger(present: Latch | None, new: Latch) -> Latch | None:
    """Return ``new`` if it takes the place of ``present``, None if it changes nothing."""
    if present is not None and _STRENGTH[new.kind] <= _STRENGTH[present.kind]:
        return None
    return new
