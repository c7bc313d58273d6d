"""The circuit breaker of one route: when entries are no longer let through. Pure; ``now`` in seconds.

Closed, everything goes. After so many failures in a row it is open: entries are rejected at once, since a
price of now is nothing to trade on later. After ``cool_down`` it is half open: one entry may try, and what
becomes of it decides. Exits, and questions about what is there already, go on in every state; each answer
that they get closes it. (M. Nygard, Release It!, 2nd ed., "Circuit Breaker".)
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

State: TypeAlias = Literal["closed", "open", "half_open"]


class Breaker(Struct, frozen=True, kw_only=True):
    """``failures`` in a row open it for ``cool_down`` seconds. ``opened_at`` is None while it is closed."""

    failures: int
    cool_down: float
    in_a_row: int = 0
    opened_at: float | None = None
    why: str = ""


def state(breaker: Breaker, now: float) -> State:
    """Return what is let through."""
    if breaker.opened_at is None:
        return "closed"
    return "half_open" if now - breaker.opened_at >= breaker.cool_down else "open"


def failed(breaker: Breaker, why: str, now: float) -> Breaker:
    """Count a failure; one that comes half open, or later, opens it anew."""
    count = breaker.in_a_row + 1
    if count < breaker.failures:
        return replace(breaker, in_a_row=count, why=why)
    if state(breaker, now) == "open":
        return replace(breaker, in_a_row=count, why=why)
    return replace(breaker, in_a_row=count, opened_at=now, why=why)


def probing(breaker: Breaker, now: float) -> Breaker:
    """Let one entry try: until it is answered, or has failed, the next one finds it open."""
    return replace(breaker, opened_at=now) if state(breaker, now) == "half_open" else breaker


def well(breaker: Breaker) -> Breaker:
    """Close it: the other end has answered."""
    if not breaker.in_a_row and breaker.opened_at is None:
        return breaker
    return replace(breaker, in_a_row=0, opened_at=None, why="")
