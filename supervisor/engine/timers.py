"""Timers that strategies asked for, on the event clock of what they read. Pure.

Rules of this file. A timer fires at its time in the order of events: before the first tick of that time or
later that its deployment reads, whenever that tick comes. So a replay, or a feed that brings an hour at once,
has it where it was. A repeating timer fires once for each of its times. Nothing fires twice: what has fired
is known, so whoever arms a timer again after a crash may say it as it first did. Phases of trading days
(engine/sessions.py) are timers too, which count for nobody's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from bus.agenda import NEVER
from bus.session_phases import Phase, is_phase, phase_of

PER_CELL = 64
"""Timers that one deployment may hold."""
SHORTEST = 1_000_000_000
"""The shortest period, ns: each firing is work for the engine."""
BEHIND = 2_000
"""Times of one deployment's repeating timers that may be due at once; of more (a hole in the data) the
newest of each fires."""
FIRED = 256
"""Names of one deployment that are known to have fired, the last ones: more than anybody sets between two
checkpoints who is not at the limit. Names may be new each time, and all of these are in every mark."""


class TimerState(Struct, frozen=True, array_like=True):
    """One timer: due at ``at`` (0: it is not armed), again every ``every`` ns, and when it last fired."""

    deployment_id: str
    name: str
    at: int
    every: int
    fired: int


class Phases(NamedTuple):
    """How far one deployment was told of its trading days: if the next is ``armed``, and the ``last``."""

    armed: bool
    last: Phase | None


class _Owner:
    """One deployment: what it reads, its armed timers (at, every) and when each name last fired."""

    __slots__ = ("armed", "fired", "next_due", "symbols")

    def __init__(self) -> None:
        self.symbols: frozenset[str] = frozenset()
        self.armed: dict[str, tuple[int, int]] = {}
        self.fired: dict[str, int] = {}
        self.next_due = NEVER

    @property
    def held(self) -> int:
        """How many of its own are armed."""
        return sum(not is_phase(name) for name in self.armed)

    def note_fired(self, name: str, at: int) -> None:
        """Know that a timer has fired, as the last one; forget the first of too many, and old phases."""
        if is_phase(name):
            for old in [other for other in self.fired if is_phase(other) and other != name]:
                del self.fired[old]
        self.fired[name] = max(at, self.fired.pop(name, 0))
        while len(self.fired) > FIRED:
            del self.fired[next(iter(self.fired))]


class Timers:
    """All deployments' timers. ``due_by`` tells of a symbol before which event time nothing is due."""

    def __init__(self) -> None:
        self.due_by: dict[str, int] = {}
        self._owners: dict[str, _Owner] = {}

    def _owner(self, deployment_id: str) -> _Owner:
        found = self._owners.get(deployment_id)
        if found is None:
            found = self._owners[deployment_id] = _Owner()
        return found

    def reads(self, deployment_id: str, symbols: Iterable[str]) -> None:
        """Let the ticks of these symbols fire its timers, from now on."""
        owner = self._owner(deployment_id)
        before, owner.symbols = owner.symbols, frozenset(symbols)
        self._aim(before | owner.symbols)

    def set(self, deployment_id: str, name: str, at: int, every: int) -> bool:
        """Arm a timer, or arm it otherwise; False if the deployment holds too many.

        One whose time has fired already is armed for its next time, and not at all if it has none.
        """
        owner = self._owner(deployment_id)
        if name not in owner.armed and not is_phase(name) and owner.held >= PER_CELL:
            return False
        fired = owner.fired.get(name, 0)
        every = max(every, SHORTEST) if every else 0
        if at > fired:
            owner.armed[name] = (at, every)
        elif every:
            owner.armed[name] = (at + every * ((fired - at) // every + 1), every)
        else:
            owner.armed.pop(name, None)
        self._look(owner)
        return True

    def disarm(self, deployment_id: str) -> None:
        """Let no timer of a deployment fire until it is armed again."""
        owner = self._owner(deployment_id)
        owner.armed.clear()
        self._look(owner)

    def forget(self, deployment_id: str) -> None:
        """Drop everything about a deployment but what it reads."""
        self.disarm(deployment_id)
        self._owner(deployment_id).fired.clear()

    def drop(self, deployment_id: str) -> None:
        """Drop a deployment."""
        self.forget(deployment_id)
        self._aim(self._owners.pop(deployment_id).symbols)

    def armed(self) -> list[tuple[str, frozenset[str]]]:
        """Return the deployments that have a timer, each with what it reads."""
        return [(name, owner.symbols) for name, owner in self._owners.items() if owner.armed]

    def due(self, symbol: str, now: int) -> Iterator[tuple[str, str, int]]:
        """Yield (deployment, name, time) of what a tick of ``symbol`` at ``now`` fires, in order of time."""
        readers = [
            n for n, owner in self._owners.items() if owner.next_due <= now and symbol in owner.symbols
        ]
        return self.due_of(readers, now)

    def due_of(self, deployments: Iterable[str], now: int) -> Iterator[tuple[str, str, int]]:
        """Yield (deployment, name, time) of what is due at event time ``now``, in order of time."""
        asked = sorted(deployments)
        while asked:
            at, deployment_id = min((self._owners[name].next_due, name) for name in asked)
            if at > now:
                return
            owner = self._owners[deployment_id]
            name = min(name for name, (due, _) in owner.armed.items() if due == at)
            yield deployment_id, name, self._fire(owner, name, now)

    def _fire(self, owner: _Owner, name: str, now: int) -> int:
        """Take note that a timer fires; return its time."""
        at, every = owner.armed[name]
        if every and (now - at) * len(owner.armed) > BEHIND * every:
            at += every * ((now - at) // every)
        if every:
            owner.armed[name] = (at + every, every)
        else:
            del owner.armed[name]
        owner.note_fired(name, at)
        self._look(owner)
        return at

    def _look(self, owner: _Owner) -> None:
        """Find out what is due next."""
        next_due = min((at for at, _ in owner.armed.values()), default=NEVER)
        if next_due != owner.next_due:
            owner.next_due = next_due
            self._aim(owner.symbols)

    def _aim(self, symbols: Iterable[str]) -> None:
        armed = [owner for owner in self._owners.values() if owner.next_due != NEVER]
        for symbol in symbols:
            due = min((one.next_due for one in armed if symbol in one.symbols), default=NEVER)
            if due == NEVER:
                self.due_by.pop(symbol, None)
            else:
                self.due_by[symbol] = due

    def phases(self, deployment_id: str) -> Phases:
        """Return how far a deployment was told of its trading days."""
        owner = self._owner(deployment_id)
        last = next((phase_of(name, at) for name, at in owner.fired.items() if is_phase(name)), None)
        return Phases(any(map(is_phase, owner.armed)), last)

    # ---- over a crash ---------------------------------------------------------------------------
    def capture(self) -> list[TimerState]:
        """Return everything that ``restore`` brings back, in the order in which it fired."""
        return [
            TimerState(name, timer, *owner.armed.get(timer, (0, 0)), owner.fired.get(timer, 0))
            for name, owner in sorted(self._owners.items())
            for timer in (*owner.fired, *sorted(owner.armed.keys() - owner.fired.keys()))
        ]

    def restore(self, states: list[TimerState]) -> None:
        """Be as another engine was; who reads what is not in there."""
        for one in states:
            if one.fired:
                self._owner(one.deployment_id).fired[one.name] = one.fired
            if one.at:
                self.set(one.deployment_id, one.name, one.at, one.every)

    def fired(self, deployment_id: str, name: str, at: int) -> None:
        """Take note that a timer has fired at ``at``: the tape says so."""
        owner = self._owner(deployment_id)
        owner.note_fired(name, at)
        if name in owner.armed:
            self.set(deployment_id, name, *owner.armed[name])
