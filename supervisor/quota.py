"""Quotas, decided: memory and CPU of an instance from its samples, and how many may run at once.

Rules of this file. Memory follows LEAN's ``Isolator``: the average of the last 60 samples over the cap, or
one sample over twice the cap, ends the instance; 80 % of the cap is worth a warning. Samples that are not
there yet count as zero, as LEAN's average starts from zero, so a short peak at the start is forgiven. CPU is
a share of one core over a whole window of fresh readings: the first reading of a process is a baseline and
never a share, a window not yet full judges nobody, and three strikes in a row are needed. Concurrency is
counted from the lives themselves, so a slot cannot leak. Every refusal has a rule id; the ids are part of
the interface.

    ``max_concurrent``    the host runs as many deployments as it may
    ``max_per_account``   the account does
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from supervisor.life import LIVING, Life, State

MEMORY_SAMPLES = 60
"""Samples in the moving average of memory: one a second, so a minute."""
MEMORY_WARNING = 0.8
"""Share of the cap from which a warning is given; it is given again only after falling below."""
STRIKES = 3
"""Fresh samples in a row at which the window must be over the CPU quota."""
CPU_TOLERANCE = 1.1
"""A strike needs a share above quota times this: times are told in ticks of 10 ms (USER_HZ, time(7))."""


class Sample(Struct, frozen=True):
    """One reading of one instance, both processes of the cell together.

    ``at`` monotonic seconds; ``cpu_time`` seconds since birth, user and system; ``rss`` bytes
    resident above what both processes were born with (see ``sampler``).
    """

    at: float
    cpu_time: float
    rss: int


class Finding(Struct, frozen=True):
    """What the samples say: a warning, or a breach that ends the instance."""

    kind: Literal["memory_warning", "memory_quota", "cpu_warning", "cpu_quota"]
    detail: str


class Usage:
    """The recent samples of one instance, and what they add up to. Made anew for every instance.

    ``memory`` is the cap in bytes, ``cpu`` the quota as a share of one core over ``window`` seconds;
    ``cpu_kills`` says whether a CPU breach ends the instance or is only warned of.
    """

    def __init__(self, *, memory: int, cpu: float, window: float = 10.0, cpu_kills: bool = True) -> None:
        self._memory = memory
        self._cpu = cpu
        self._window = window
        self._cpu_kills = cpu_kills
        self._rss: deque[int] = deque(maxlen=MEMORY_SAMPLES)
        self._sum = 0
        self._readings: deque[Sample] = deque()
        self._strikes = 0
        self._warned_memory = False
        self._warned_cpu = False
        self.peak = 0
        self.cpu_share: float | None = None

    @property
    def rss(self) -> int:
        """Bytes at the last sample, 0 before the first."""
        return self._rss[-1] if self._rss else 0

    def add(self, sample: Sample) -> list[Finding]:
        """Take one sample; a sample no newer than the last one is not fresh and says nothing."""
        readings = self._readings
        if readings and sample.at <= readings[-1].at:
            return []
        findings = self._judge_memory(sample.rss)
        readings.append(sample)
        while len(readings) > 2 and readings[1].at <= sample.at - self._window:
            readings.popleft()
        span = sample.at - readings[0].at
        if span > 0:
            # CPU time cannot run backwards; a negative share would come from another process.
            self.cpu_share = max(0.0, sample.cpu_time - readings[0].cpu_time) / span
            if span >= self._window:
                findings += self._judge_cpu(self.cpu_share)
        return findings

    def _judge_memory(self, rss: int) -> list[Finding]:
        if len(self._rss) == MEMORY_SAMPLES:
            self._sum -= self._rss[0]
        self._rss.append(rss)
        self._sum += rss
        self.peak = max(self.peak, rss)
        average = self._sum / MEMORY_SAMPLES
        if rss > 2 * self._memory:
            return [
                Finding("memory_quota", f"{mib(rss)} resident, over twice the quota of {mib(self._memory)}")
            ]
        if average > self._memory:
            text = f"{mib(average)} resident on average over {MEMORY_SAMPLES} samples"
            return [Finding("memory_quota", f"{text}, over the quota of {mib(self._memory)}")]
        over, before = rss > MEMORY_WARNING * self._memory, self._warned_memory
        self._warned_memory = over
        if over and not before:
            return [Finding("memory_warning", f"{mib(rss)} resident of a quota of {mib(self._memory)}")]
        return []

    def _judge_cpu(self, share: float) -> list[Finding]:
        if share <= self._cpu * CPU_TOLERANCE:
            self._strikes, self._warned_cpu = 0, False
            return []
        self._strikes += 1
        if self._strikes < STRIKES:
            return []
        detail = (
            f"{share:.0%} of a core in {self._strikes} samples in a row, over the quota of {self._cpu:.0%}"
        )
        if self._cpu_kills:
            return [Finding("cpu_quota", detail)]
        before, self._warned_cpu = self._warned_cpu, True
        return [] if before else [Finding("cpu_warning", detail)]


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
