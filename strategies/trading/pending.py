"""The signals that wait for a person's approval, as they stand: changed by records only (state.py)."""

from __future__ import annotations

from collections.abc import Iterator

from strategies.trading.records import Judged


class Pendings:
    """``Judged`` records of decision ``pending`` that nothing has become of yet, by deployment and symbol."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}
        self._signals: dict[tuple[str, str], dict[str, Judged]] = {}

    def put(self, judged: Judged) -> None:
        """Let a signal wait."""
        owner = judged.deployment_id, judged.signal.symbol
        self._owners[judged.signal_id] = owner
        self._signals.setdefault(owner, {})[judged.signal_id] = judged

    def drop(self, signal_id: str) -> None:
        """Let a signal wait no longer; ``KeyError`` if it does not."""
        owner = self._owners.pop(signal_id)
        mine = self._signals[owner]
        del mine[signal_id]
        if not mine:
            del self._signals[owner]

    def find(self, signal_id: str) -> Judged | None:
        """Return a signal that waits, None if it does not."""
        owner = self._owners.get(signal_id)
        return None if owner is None else self._signals[owner][signal_id]

    def of(self, deployment_id: str, symbol: str, leg: str = "") -> list[Judged]:
        """Return what a deployment has waiting for one symbol, oldest first; of ``leg`` if it is given."""
        mine = self._signals.get((deployment_id, symbol))
        return [] if mine is None else [one for one in mine.values() if not leg or one.signal.leg == leg]

    def count(self, deployment_id: str, symbol: str, leg: str = "") -> int:
        """Return how many ``of`` finds: asked for every signal."""
        return len(self.of(deployment_id, symbol, leg)) if self._signals else 0

    def everything(self) -> list[Judged]:
        """Return all that waits, by acceptance."""
        return sorted(self._each(), key=lambda judged: judged.seq)

    def _each(self) -> Iterator[Judged]:
        return (judged for mine in self._signals.values() for judged in mine.values())
