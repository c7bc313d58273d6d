"""Latches: what bars a deployment or an account until an operator takes it back."""

from __future__ import annotations

from typing import Literal, TypeAlias

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
