"""What is done to the daemon, and when: a seeded plan. Pure: the same seed and length give the same plan.

Every kind of fault is a Poisson process of its own, with a generator of its own, so that a kind which is
added or left out changes nothing of the others. A plan says whom a fault hits by a number, not by a name:
``pick`` is a place in the sorted list of those who are there at that moment.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Kind(NamedTuple):
    """A kind of fault: ``every`` seconds on average; it lasts between the two of ``lasting``, or no time."""

    name: str
    every: float
    lasting: tuple[float, float] = (0.0, 0.0)


KINDS = (
    Kind("kill strategy", 6),
    Kind("kill warden", 12),
    Kind("kill engine", 15),
    Kind("kill zygote", 20),
    Kind("kill supervisor", 25, (0.1, 1.0)),
    Kind("stop strategy", 20, (0.1, 3.0)),
    Kind("hang strategy", 45),
    Kind("stop warden", 30, (0.1, 2.0)),
    Kind("stop engine", 25, (0.1, 2.0)),
    Kind("fill disk", 40, (0.3, 2.0)),
    Kind("pause redis", 30, (0.3, 3.0)),
    Kind("flush redis", 30),
    Kind("kill redis", 30, (0.3, 2.0)),
    Kind("kill publisher", 20, (0.05, 2.0)),
    Kind("stop publisher", 25, (0.2, 4.0)),
    Kind("double publisher", 25, (1.0, 4.0)),
)
"""Out of memory and segmentation faults of a strategy's own making are the business of the victims
(``deployments``); the signal by which a strategy is killed is SIGKILL, SIGSEGV or SIGABRT."""
NAMES = tuple(kind.name for kind in KINDS)


class Fault(NamedTuple):
    """One fault: ``at`` seconds after the first tick, for ``lasting`` seconds; two numbers in [0, 1)."""

    at: float
    kind: str
    lasting: float
    pick: float
    variant: float

    def one_of(self, there: Sequence[T]) -> T | None:
        """Return whom it hits of those who are there, None if nobody is."""
        return there[int(self.pick * len(there))] if there else None

    def __str__(self) -> str:
        lasting = f" for {self.lasting:.1f} s" if self.lasting else ""
        return f"{self.kind}{lasting}"


def plan(
    seed: int, seconds: float, *, without: Collection[str] = (), kinds: Sequence[Kind] = KINDS
) -> list[Fault]:
    """Return the faults of ``seconds`` in order of time, none of the kinds in ``without``."""
    faults = []
    for kind in kinds:
        chance = random.Random(f"{seed}:{kind.name}")
        at = chance.expovariate(1 / kind.every)
        while at < seconds:
            fault = Fault(at, kind.name, chance.uniform(*kind.lasting), chance.random(), chance.random())
            if kind.name not in without:
                faults.append(fault)
            at += chance.expovariate(1 / kind.every)
    return sorted(faults)
