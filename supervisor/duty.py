"""The duty cycle that holds a process to its share of a core where the kernel does not: run, stop, run. Pure.

Rules of this file. The share is an allowance that flows in all the time and is used by running: a token
bucket of processor seconds. A process may run while there is any, and at full speed: who stays within the
share is never stopped for doing the work of a second at once, up to ``BURST``. Who has used it up is stopped
until one slice of it has flowed in again, so that stops are short and many and not one long one. What was
used too much, because a look came late, is owed and paid back; so the share holds however late the looks.
Looks are rare while a process is far from the end of its allowance, and as often as needed near it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec import Struct

BURST = 0.4
"""Most processor seconds saved up. Over ten seconds they are four points of the share: what the quota
promises to hold is five."""
CYCLE = 0.1
"""Seconds of one cycle of a process that is held: it runs ``quota * CYCLE`` of them. As the kernel's own
period (cpu.max), long against the precision of a timer in a busy interpreter."""
LONGEST_STOP = 1.0
"""Seconds after which a stopped process runs at least ``SHORTEST_RUN``, whatever it owes: it has a socket
to read and, to its warden, a deadline."""
SHORTEST_RUN = 0.005
MOST_OWED = 2.0
"""Processor seconds owed at most: more has nobody's fault but ours, that did not look."""
CALM = 0.25
"""Seconds between two looks at a process that cannot use up its allowance meanwhile."""


class Duty(Struct, frozen=True):
    """Where the cycle of one process stands.

    ``quota`` share of a core; ``at`` monotonic seconds of the last look, at which it had used ``used``
    processor seconds and had an allowance of ``left`` (negative: owed). ``since`` is when it was stopped or
    let go on last; ``held`` how long it was stopped in all, up to ``at``.
    """

    quota: float
    at: float
    used: float
    left: float = BURST
    stopped: bool = False
    since: float = 0.0
    held: float = 0.0


class Order(NamedTuple):
    """What follows from a look: where it stands now (``duty.stopped`` is what it is to be), the next look."""

    duty: Duty
    until: float


def begin(quota: float, now: float, used: float) -> Duty:
    """Return the cycle of a process that has used ``used`` seconds before anybody held it to anything."""
    return Duty(quota, now, used, since=now)


def step(duty: Duty, now: float, used: float) -> Order:
    """Look at a process that has used ``used`` processor seconds since its start."""
    passed = max(0.0, now - duty.at)
    left = min(BURST, max(-MOST_OWED, duty.left + duty.quota * passed - max(0.0, used - duty.used)))
    held = duty.held + (passed if duty.stopped else 0.0)
    # A slice shorter than a timer can tell would be over before it began.
    slice_ = max(SHORTEST_RUN, duty.quota * CYCLE)
    if duty.stopped:
        rested = now - duty.since >= LONGEST_STOP
        stopped = left < slice_ and not rested
    else:
        rested = False
        stopped = left <= 0 and now - duty.since >= SHORTEST_RUN
    since = duty.since if stopped is duty.stopped else now
    after = Duty(duty.quota, now, used, left, stopped, since, held)
    if stopped:
        return Order(after, min(now + (slice_ - left) / duty.quota, since + LONGEST_STOP))
    return Order(after, _next_look(after, now))


def _next_look(duty: Duty, now: float) -> float:
    """When the allowance of a running process can be used up, or on the common beat if that is later.

    The common beat is the same for all, so that every calm process is looked at in one waking.
    """
    beat = (math.floor(now / CALM) + 1) * CALM
    # It runs on as many cores as its quota needs: the shell sees to that.
    speed = math.ceil(duty.quota) - duty.quota
    runs = max(duty.left, 0.0) / speed if speed > 0 else math.inf
    return min(beat, now + max(SHORTEST_RUN, runs))
