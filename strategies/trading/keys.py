"""The idempotency keys of accepted signals: what makes a signal that is repeated a duplicate.

So are those of signals that waited for a person, whatever came of it: what was denied is not asked again.
"""

from __future__ import annotations

from strategies.trading.records import KeyRing
from strategies.trading.ttl import KEY_LIFE


class Keys:
    """Idempotency keys of accepted signals, by deployment and symbol, each with its acceptance (ns).

    A key is forgotten when the same deployment has a signal for the same symbol accepted ``KEY_LIFE``
    later. No other clock will do: each feed has its own time, and one of them may be a recording.
    """

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], dict[bytes, int]] = {}

    def known(self, deployment_id: str, symbol: str, key: bytes) -> bool:
        """Whether a signal with this key was accepted before."""
        return key in self._keys.get((deployment_id, symbol), ())

    def remember(self, deployment_id: str, symbol: str, key: bytes, at: int) -> None:
        """Keep the key of a signal that was accepted at ``at``, and forget those too old to matter."""
        mine = self._keys.setdefault((deployment_id, symbol), {})
        mine[key] = at
        while mine[oldest := next(iter(mine))] < at - KEY_LIFE:
            del mine[oldest]

    def everything(self) -> list[KeyRing]:
        """Return all keys by deployment and symbol, each by acceptance."""
        return [KeyRing(*owner, list(mine.items())) for owner, mine in sorted(self._keys.items())]
