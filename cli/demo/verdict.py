"""Whether the demo showed what it is there to show. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.demo.plan import Part


@dataclass(frozen=True)
class Fact:
    """What the daemon says of one deployment at the end; ``published`` ticks concern its symbols."""

    part: Part
    state: str
    pid_changed: bool
    published: int
    delivered: int
    gaps: int
    candles: int
    accepted: int
    refused: int
    traded: bool
    profit: float | None
    deaths: int
    cause: str
    detail: str


def findings(facts: Sequence[Fact]) -> list[str]:
    """Return one line for everything that is not as it should be; empty if the demo succeeded."""
    found = [line for fact in facts for line in (_well(fact) if fact.part.behaves else _caught(fact))]
    if not any(fact.traded for fact in facts if fact.part.behaves):
        found.append("no signal of a well-behaved strategy was filled")
    return found


def _well(fact: Fact) -> list[str]:
    lines = []
    if fact.state != "running":
        lines.append(f"{fact.part.id}: is {fact.state}, not running")
    if fact.deaths or fact.pid_changed:
        lines.append(f"{fact.part.id}: died ({fact.cause or 'unknown'}) although it behaved")
    if fact.delivered != fact.published or not fact.published:
        lines.append(f"{fact.part.id}: {fact.delivered} ticks delivered of {fact.published} published")
    if fact.gaps:
        lines.append(f"{fact.part.id}: {fact.gaps} gaps in its data")
    if not fact.candles:
        lines.append(f"{fact.part.id}: no candle")
    return lines


def _caught(fact: Fact) -> list[str]:
    if fact.cause in fact.part.causes:
        return []
    allowed = " or ".join(fact.part.causes)
    return [f"{fact.part.id}: cause of death is {fact.cause or 'none'}, expected {allowed}"]
