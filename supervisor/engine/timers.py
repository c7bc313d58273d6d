"""Timers that strategies asked for, on the event clock of the engine. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

PER_CELL = 64
"""Timers that one deployment may hold."""


class Timers:
    """A heap of (event time, deployment, name); setting a name again replaces it."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, str, int]] = []
        self._current: dict[tuple[str, str], tuple[int, int]] = {}

    def set(self, deployment_id: str, name: str, at: int, every: int) -> bool:
        """Arm a timer; False if the deployment holds too many."""
        key = (deployment_id, name)
        if key not in self._current and sum(owner == deployment_id for owner, _ in self._current) >= PER_CELL:
            return False
        self._current[key] = (at, every)
        heapq.heappush(self._heap, (at, deployment_id, name, every))
        if len(self._heap) > 2 * len(self._current) + PER_CELL:
            # Timers that were set again: a strategy may do so on every tick, for an hour that never comes.
            self._heap = [(at, who, what, every) for (who, what), (at, every) in self._current.items()]
            heapq.heapify(self._heap)
        return True

    def forget(self, deployment_id: str) -> None:
        """Drop every timer of a deployment."""
        for key in [key for key in self._current if key[0] == deployment_id]:
            del self._current[key]

    def due(self, now: int) -> Iterator[tuple[str, str, int]]:
        """Yield (deployment, name, time) of what is due; a repeating one fires once, then after ``now``."""
        while self._heap and self._heap[0][0] <= now:
            at, deployment_id, name, every = heapq.heappop(self._heap)
            if self._current.get((deployment_id, name)) != (at, every):
                continue
            if every:
                later = at + every * ((now - at) // every + 1)
                self._current[deployment_id, name] = (later, every)
                heapq.heappush(self._heap, (later, deployment_id, name, every))
            else:
                del self._current[deployment_id, name]
            yield deployment_id, name, at
