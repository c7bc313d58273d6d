"""The idempotency keys of accepted signals: what makes a signal that is repeated a duplicate.

So are those of signals that waited for a person, whatever came of it: what was denied is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from strategies.trading.records import KeyRing
from strategies.trading.ttl import KEY_LIFE

MOST_KEYS: Final = 1_000_000
"""Keys of one deployment from which on its entries are refused: some 180 MB (docs/operations.md, "Capacity").

To forget one that may come again would be to do it twice, so what is too much is not taken to begin with.
Reached by 11.6 accepted signals a second, all day; without it 200 a second would fill the engine's memory.
"""


class Keys:
    """Idempotency keys of accepted signals, by deployment and symbol, each with its acceptance (ns).

    A key is forgotten when the same deployment has a signal for the same symbol accepted ``KEY_LIFE``
    later. No other clock will do: each feed has its own time, and one of them may be a recording.
    """

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, dict[bytes, int]]] = {}
        """By deployment and symbol; each by acceptance."""

    def known(self, deployment_id: str, symbol: str, key: bytes) -> bool:
        """Whether a signal with this key was accepted before."""
        mine = self._keys.get(deployment_id)
        return mine is not None and key in mine.get(symbol, ())

    def remember(self, deployment_id: str, symbol: str, key: bytes, at: int) -> None:
        """Keep the key of a signal that was accepted at ``at``, and forget those too old to matter."""
        mine = self._keys.setdefault(deployment_id, {}).setdefault(symbol, {})
        mine[key] = at
        _forget(mine, at)

    def count(self, deployment_id: str, reached: Callable[[str], int]) -> int:
        """Return how many keys of a deployment are remembered.

        Where they are ``MOST_KEYS``, those too old to matter are forgotten first: who is refused has none
        accepted, which would forget them. ``reached`` tells the event time that a symbol has come to.
        """
        mine = self._keys.get(deployment_id, {})
        count = sum(map(len, mine.values()))
        if count < MOST_KEYS:
            return count
        for symbol, keys in mine.items():
            _forget(keys, reached(symbol))
        return sum(map(len, mine.values()))

    def everything(self) -> list[KeyRing]:
        """Return all keys by deployment and symbol, each by acceptance."""
        return [
            KeyRing(owner, symbol, list(keys.items()))
            for owner, mine in sorted(self._keys.items())
            for symbol, keys in sorted(mine.items())
        ]


def _forget(keys: dict[bytes, int], at: int) -> None:
    """Forget what is ``KEY_LIFE`` older than ``at``."""
    while keys and keys[oldest := next(iter(keys))] < at - KEY_LIFE:
        del keys[oldest]
