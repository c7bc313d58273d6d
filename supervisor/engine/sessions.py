"""Phases of trading days for the strategies that ask for them (``on_session``): timers that nobody set.

Rules of this file. The days are those of a deployment's first symbol, by the calendar of the feed that
brings it: known from its first tick on. One phase is armed at a time, the next when it fires; both are on the
tape, so what a cell missed it is told again, and the next engine goes on behind the last that was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus.messages import Bar, Schedule, Tick
from bus.session_phases import Phase, is_phase, next_phase, phase_of
from bus.timeframes import DAY
from supervisor.engine.resume import timer

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine

BEHIND = 7 * DAY
"""Phases from before this are left out where there was a hole in the data, ns."""


class Sessions:
    """Of one engine; times are event time unless they are called ``monotonic``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._first: dict[str, str] = {}
        """Deployments that ask, each with its first symbol."""

    def want(self, deployment_id: str, symbol: str, monotonic: int) -> None:
        """Tell a deployment of the days of ``symbol`` from now on. Asked again, it goes on."""
        self._first[deployment_id] = symbol
        self._go_on(deployment_id, monotonic)

    def drop(self, deployment_id: str) -> None:
        """Arm nothing more for a deployment until it asks again."""
        self._first.pop(deployment_id, None)

    def brought(self, sample: Tick | Bar) -> None:
        """A feed brings a symbol from here on, so its calendar is known: its days begin with ``sample``."""
        at = sample.open_time if isinstance(sample, Bar) else sample.ts
        for owner, symbol in self._first.items():
            if symbol == sample.symbol and not self._engine.timers.phases(owner).armed:
                last = self._engine.timers.phases(owner).last
                self._arm(owner, last or Phase(at, "", 0), at)

    def look(self, monotonic: int) -> None:
        """Arm what is not: a feed may have been opened, or a table of days renewed. Called once a second."""
        for owner in self._first:
            self._go_on(owner, monotonic)

    def fired(self, deployment_id: str, name: str, at: int, now: int) -> None:
        """Arm the phase behind one that was told, ``now`` being how far the data is."""
        if not is_phase(name):
            return
        # Between two instances, of an engine that came back meanwhile, nobody has asked: it is still to run.
        symbol = self._first.get(deployment_id) or self._engine.orders.first_symbol(deployment_id)
        if symbol is not None:
            self._first[deployment_id] = symbol
            self._arm(deployment_id, phase_of(name, at), now)

    def _go_on(self, owner: str, monotonic: int) -> None:
        told = self._engine.timers.phases(owner)
        stream = self._engine.market.streams.get(self._first[owner])
        if told.armed or stream is None or stream.source is None:
            return
        now = stream.clock.now(monotonic)
        if now:
            self._arm(owner, told.last or Phase(now, "", 0), now)

    def _arm(self, owner: str, after: Phase, now: int) -> None:
        engine = self._engine
        stream = engine.market.streams.get(self._first[owner])
        if stream is None or stream.source is None:
            return
        phase = next_phase(stream.source.calendar, max(after, Phase(now - BEHIND, "", 0)))
        if phase is not None and engine.timers.set(owner, phase.timer, phase.at, 0):
            engine.publication.publish(timer(owner, Schedule(phase.timer, phase.at)))
