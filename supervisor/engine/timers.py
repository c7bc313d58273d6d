"""Timers that strategies asked for, on the event clock of the engine. Pure.

Rules of this file. A timer fires at its time in the order of events: before the first tick of that time or
later, whenever that tick comes. So a replay, or a feed that brings an hour at once, has it where it was. A
repeating timer fires once for each of its times. Nothing fires twice: what has fired is known for as long as
the deployment is, so whoever arms a timer again after a crash may say it as it first did.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from msgspec import Struct

from bus.agenda import NEVER

PER_CELL = 64
"""Timers that one deployment may hold."""
SHORTEST = 1_000_000_000
"""The shortest period, ns: each firing is work for the engine."""
BEHIND = 1_000
"""Times of one repeating timer that may be due at once; of more (a hole in the data) the newest fires."""


class TimerState(Struct, frozen=True, array_like=True):
    """One timer: due at ``at`` (0: it is not armed), again every ``every`` ns, and when it last fired."""

    deployment_id: str
    name: str
    at: int
    every: int
    fired: int


class Timers:
    """A heap of (event time, deployment, name); setting a name again replaces it.

    ``next_due`` is the event time before which nothing is due.
    """

    def __init__(self) -> None:
        self.next_due = NEVER
        self._heap: list[tuple[int, str, str]] = []
        self._armed: dict[str, dict[str, tuple[int, int]]] = {}  # deployment -> name -> (at, every)
        self._fired: dict[str, dict[str, int]] = {}  # deployment -> name -> when it last fired

    def set(self, deployment_id: str, name: str, at: int, every: int) -> bool:
        """Arm a timer; False if the deployment holds too many.

        One whose time has fired already is armed for its next time, and not at all if it has none.
        """
        mine = self._armed.setdefault(deployment_id, {})
        if name not in mine and len(mine) >= PER_CELL:
            return False
        fired = self._fired.get(deployment_id, {}).get(name, 0)
        every = max(every, SHORTEST) if every else 0
        if at <= fired:
            if not every:
                mine.pop(name, None)
                return True
            at += every * ((fired - at) // every + 1)
        self._arm(deployment_id, name, at, every)
        return True

    def _arm(self, deployment_id: str, name: str, at: int, every: int) -> None:
        self._armed[deployment_id][name] = (at, every)
        heapq.heappush(self._heap, (at, deployment_id, name))
        held = sum(map(len, self._armed.values()))
        if len(self._heap) > 2 * held + PER_CELL:
            # Timers that were set again: a strategy may do so on every tick, for an hour that never comes.
            self._heap = [
                (at, who, what) for who, its in self._armed.items() for what, (at, _) in its.items()
            ]
            heapq.heapify(self._heap)
        self.next_due = self._heap[0][0]

    def disarm(self, deployment_id: str) -> None:
        """Let no timer of a deployment fire until it is armed again."""
        self._armed.pop(deployment_id, None)

    def forget(self, deployment_id: str) -> None:
        """Drop everything about a deployment."""
        self.disarm(deployment_id)
        self._fired.pop(deployment_id, None)

    def due(self, now: int) -> Iterator[tuple[str, str, int]]:
        """Yield (deployment, name, time) of what is due, in the order of time."""
        while self._heap and self._heap[0][0] <= now:
            at, deployment_id, name = heapq.heappop(self._heap)
            mine = self._armed.get(deployment_id, {})
            due, every = mine.get(name, (NEVER, 0))
            if due != at:
                continue  # replaced, or disarmed
            if not every:
                del mine[name]
            else:
                if now - at > BEHIND * every:
                    at += every * ((now - at) // every)  # the newest of them
                self._arm(deployment_id, name, at + every, every)
            self._fired.setdefault(deployment_id, {})[name] = at
            yield deployment_id, name, at
        self.next_due = self._heap[0][0] if self._heap else NEVER

    # ---- over a crash ---------------------------------------------------------------------------
    def capture(self) -> list[TimerState]:
        """Return everything that ``restore`` brings back."""
        return [
            TimerState(
                owner,
                name,
                *self._armed.get(owner, {}).get(name, (0, 0)),
                self._fired.get(owner, {}).get(name, 0),
            )
            for owner in sorted(self._armed.keys() | self._fired.keys())
            for name in sorted(self._armed.get(owner, {}).keys() | self._fired.get(owner, {}).keys())
        ]

    def restore(self, states: list[TimerState]) -> None:
        """Be as another engine was."""
        for one in states:
            if one.fired:
                self._fired.setdefault(one.deployment_id, {})[one.name] = one.fired
            if one.at:
                self.set(one.deployment_id, one.name, one.at, one.every)

    def fired(self, deployment_id: str, name: str, at: int) -> None:
        """Take note that a timer has fired at ``at``: the tape says so."""
        mine = self._fired.setdefault(deployment_id, {})
        mine[name] = max(mine.get(name, 0), at)
        due, every = self._armed.get(deployment_id, {}).get(name, (NEVER, 0))
        if due <= at:
            self.set(deployment_id, name, due, every)
