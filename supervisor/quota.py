"""Quotas, decided: memory and CPU of an instance from its samples, and how many may run at once.

Rules of this file. Memory follows LEAN's ``Isolator``: the average of the last minute over the cap, or one
sample over twice the cap, ends the instance; 80 % of the cap is worth a warning. LEAN takes a sample a second
and counts sixty; here there may be more, so each counts for the time since the one before it, and a minute is
a minute. Time without a sample counts as zero, as LEAN's average starts from zero, so a short peak at the
start is forgiven. CPU is a share of one core over a whole window of fresh readings: the first reading of a
process is a baseline and never a share, a window not yet full judges nobody, and three strikes in a row are
needed; whether a share over the quota can be seen at all depends on what holds it (``CpuPolicy``).
Concurrency is counted from the lives themselves, so a slot cannot leak. Every refusal has a rule id; the ids
are part of the interface.

    ``max_concurrent``    the host runs as many deployments as it may
    ``max_per_account``   the account does
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from supervisor.life import LIVING, Life, State

MEMORY_SPAN = 60.0
"""Seconds of the moving average of memory: LEAN's sixty samples, one a second."""
SAMPLE_PERIOD = 0.25
"""Seconds between two samples of memory, and for how long the first one counts."""
MOST_WEIGHT = 1.0
"""Seconds that one sample counts for at most: what was before, in a gap, nobody saw."""
MEMORY_WARNING = 0.8
"""Share of the cap from which a warning is given; it is given again only after falling below."""
STRIKES = 3
"""Fresh samples in a row at which the window must be over the CPU quota."""

CpuPolicy: TypeAlias = Literal["throttle", "kill", "warn"]
"""What becomes of one that wants more than its share of the processor: ``throttle`` holds it to that (the
kernel's cpu.max, else ``supervisor.throttle``) and says so once, ``kill`` ends it, ``warn`` only says so."""

CPU_STRIKES_FROM: dict[CpuPolicy, float] = {"throttle": 0.9, "kill": 1.1, "warn": 1.1}
"""A strike is a share above the quota times this: times are told in ticks of 10 ms (USER_HZ, time(7)), and
one that is held to its share never gets above it."""


class Sample(Struct, frozen=True):
    """One reading of one instance, both processes of the cell together.

    ``at`` monotonic seconds; ``cpu_time`` seconds since birth, user and system, None where only memory was
    read; ``rss`` bytes resident above what both processes were born with (see ``sampler``).
    """

    at: float
    cpu_time: float | None
    rss: int


class Finding(Struct, frozen=True):
    """What the samples say: a warning, or a breach that ends the instance."""

    kind: Literal["memory_warning", "memory_quota", "cpu_warning", "cpu_quota"]
    detail: str


class Usage:
    """The recent samples of one instance, and what they add up to. Made anew for every instance.

    ``memory`` is the cap in bytes, ``cpu`` the quota as a share of one core over ``window`` seconds.
    """

    def __init__(
        self, *, memory: int, cpu: float, window: float = 10.0, cpu_policy: CpuPolicy = "kill"
    ) -> None:
        self._memory = memory
        self._cpu = cpu
        self._window = window
        self._cpu_policy: CpuPolicy = cpu_policy
        self._sizes: deque[tuple[float, float]] = deque()  # (at, byte seconds)
        self._sum = 0.0
        self._at: float | None = None
        self._readings: deque[tuple[float, float]] = deque()  # (at, CPU seconds)
        self._strikes = 0
        self._warned_memory = False
        self._warned_cpu = False
        self.rss = 0
        """Bytes at the last sample, 0 before the first."""
        self.peak = 0
        self.cpu_share: float | None = None

    def add(self, sample: Sample) -> list[Finding]:
        """Take one sample; a sample no newer than the last one is not fresh and says nothing."""
        if self._at is not None and sample.at <= self._at:
            return []
        weight = SAMPLE_PERIOD if self._at is None else min(MOST_WEIGHT, sample.at - self._at)
        self._at = sample.at
        findings = self._judge_memory(sample.at, weight, sample.rss)
        if sample.cpu_time is not None:
            findings += self._add_cpu(sample.at, sample.cpu_time)
        return findings

    def _add_cpu(self, at: float, cpu_time: float) -> list[Finding]:
        readings = self._readings
        readings.append((at, cpu_time))
        while len(readings) > 2 and readings[1][0] <= at - self._window:
            readings.popleft()
        began, used = readings[0]
        span = at - began
        if span <= 0:
            return []
        # CPU time cannot run backwards; a negative share would come from another process.
        self.cpu_share = max(0.0, cpu_time - used) / span
        return self._judge_cpu(self.cpu_share) if span >= self._window else []

    def _judge_memory(self, at: float, weight: float, rss: int) -> list[Finding]:
        sizes = self._sizes
        while sizes and sizes[0][0] <= at - MEMORY_SPAN:
            self._sum -= sizes.popleft()[1]
        sizes.append((at, weight * rss))
        self._sum += weight * rss
        self.rss, self.peak = rss, max(self.peak, rss)
        average = self._sum / MEMORY_SPAN
        if rss > 2 * self._memory:
            return [
                Finding("memory_quota", f"{mib(rss)} resident, over twice the quota of {mib(self._memory)}")
            ]
        if average > self._memory:
            text = f"{mib(average)} resident on average over {MEMORY_SPAN:.0f} s"
            return [Finding("memory_quota", f"{text}, over the quota of {mib(self._memory)}")]
        over, before = rss > MEMORY_WARNING * self._memory, self._warned_memory
        self._warned_memory = over
        if over and not before:
            return [Finding("memory_warning", f"{mib(rss)} resident of a quota of {mib(self._memory)}")]
        return []

    def _judge_cpu(self, share: float) -> list[Finding]:
        policy = self._cpu_policy
        if share <= self._cpu * CPU_STRIKES_FROM[policy]:
            self._strikes, self._warned_cpu = 0, False
            return []
        self._strikes += 1
        if self._strikes < STRIKES:
            return []
        taken = f"{share:.0%} of a core in {self._strikes} samples in a row"
        if policy == "kill":
            return [Finding("cpu_quota", f"{taken}, over the quota of {self._cpu:.0%}")]
        before, self._warned_cpu = self._warned_cpu, True
        if before:
            return []
        held = "held to" if policy == "throttle" else "over"
        return [Finding("cpu_warning", f"{taken}, {held} the quota of {self._cpu:.0%}")]


def mib(size: float) -> str:
    """Write a size in bytes for people."""
    return f"{size / 2**20:.1f} MiB"


# ---- how many at once -----------------------------------------------------------------------------
class Limits(Struct, frozen=True):
    """How many deployments may hold a slot: on this host, and for one account."""

    max_concurrent: int = 10
    max_per_account: int = 10


class Refusal(Struct, frozen=True):
    """Why not, as a rule id and a sentence."""

    rule: Literal["max_concurrent", "max_per_account"]
    detail: str


def holds_slot(life: Life) -> bool:
    """Whether a deployment takes one of the slots.

    One that is living does, and one in backoff: it is about to come back, and a slot given away meanwhile
    would make an accident of one strategy the stop of another. Whatever else ended it, the slot is free.
    """
    return life.state in LIVING or life.state is State.BACKOFF


def admit(account: str, others: Iterable[tuple[str, Life]], limits: Limits) -> Refusal | None:
    """Whether one more of ``account`` may start beside ``others``, (account, life) of every other one."""
    holding = [name for name, life in others if holds_slot(life)]
    if len(holding) >= limits.max_concurrent:
        return Refusal(
            "max_concurrent",
            f"{len(holding)} deployments run and the host may run {limits.max_concurrent} "
            "(MAX_CONCURRENT_STRATEGIES); stop one or raise the limit",
        )
    mine = holding.count(account)
    if mine >= limits.max_per_account:
        return Refusal(
            "max_per_account",
            f"account {account} runs {mine} deployments and may run {limits.max_per_account} "
            "(limits.max_per_account); stop one or raise the limit",
        )
    return None
