"""Counters of deployments over all their instances: what an instance counts begins at 0 with each. Pure.

A counter that falls is taken by Prometheus for a restart of what counts, here the daemon. A strategy's
restart must not look like one, nor an engine's, which knows nothing of its cells until each has spoken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from bus.histogram import Buckets
from bus.messages import CellStats
from supervisor.control import DeploymentRow

COUNTED: Final = (
    "ticks", "candles", "conflated", "gaps", "stale",
    "refused", "errors", "slow_calls", "log_dropped", "replayed",
)  # fmt: skip
"""Fields of ``CellStats`` that count."""


class Total(Struct):
    """Of one deployment: ``counts`` by field in the order of ``COUNTED``, processor seconds, turns."""

    counts: list[int]
    cpu_time: float
    turns: Buckets


class _Kept:
    """One deployment: the sum of ended instances, and the last word of the present one."""

    def __init__(self) -> None:
        self.counts = [0] * len(COUNTED)
        self.turns = Buckets()
        self.cpu_time = 0.0
        self.generation = self.cpu_generation = 0
        self.stats = CellStats()
        self.cpu_now = 0.0

    def take(self, generation: int, stats: CellStats) -> None:
        if generation != self.generation:
            self.counts = self.summed()
            self.turns = self.turns.plus(self.stats.turns)
            self.generation, self.stats = generation, stats
        elif stats.ticks >= self.stats.ticks and stats.candles >= self.stats.candles:
            self.stats = stats  # else an engine began anew, and has not heard from it yet

    def summed(self) -> list[int]:
        stats = self.stats
        return [known + int(getattr(stats, name)) for known, name in zip(self.counts, COUNTED, strict=True)]


class Totals:
    """What the daemon has counted since it began, by deployment."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self.deaths: Counter[tuple[str, str]] = Counter()
        """By (deployment, cause)."""
        self._commits = self._commits_now = Buckets()

    def take(self, rows: Iterable[DeploymentRow]) -> None:
        """Take the engine's picture in, once a second."""
        for row in rows:
            if row.generation:
                self._of(row.deployment_id).take(row.generation, row.stats)

    def committed(self, told: Buckets) -> None:
        """Take what an engine says of its commits, which counts from 0 with each engine."""
        if sum(told.counts) < sum(self._commits_now.counts):
            self._commits = self.commits
        self._commits_now = told

    @property
    def commits(self) -> Buckets:
        """Commits to the journal, of all engines."""
        return self._commits.plus(self._commits_now) if self._commits_now.counts else self._commits

    def used(self, deployment_id: str, generation: int, cpu_time: float) -> None:
        """Take note of the processor seconds of an instance."""
        kept = self._of(deployment_id)
        if generation != kept.cpu_generation:
            kept.cpu_time += kept.cpu_now
            kept.cpu_generation, kept.cpu_now = generation, cpu_time
        else:
            kept.cpu_now = max(kept.cpu_now, cpu_time)

    def died(self, deployment_id: str, cause: str) -> None:
        """Count a death."""
        self.deaths[deployment_id, cause] += 1

    def of(self, deployment_id: str) -> Total:
        """Return what was counted of a deployment."""
        kept = self._kept.get(deployment_id) or _Kept()
        return Total(kept.summed(), kept.cpu_time + kept.cpu_now, kept.turns.plus(kept.stats.turns))

    def forget(self, names: Iterable[str]) -> None:
        """Drop all but ``names``: of removed deployments there would be ever more."""
        known = frozenset(names)
        for name in self._kept.keys() - known:
            del self._kept[name]
        for name, cause in [key for key in self.deaths if key[0] not in known]:
            del self.deaths[name, cause]

    def _of(self, deployment_id: str) -> _Kept:
        return self._kept.setdefault(deployment_id, _Kept())
