"""What was accepted in the last minute, and how fast an account may still ask."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, TypeAlias

from bus.messages import Signal
from strategies.trading.desk import Bucket
from strategies.trading.latches import Scope
from strategies.trading.ttl import SECOND

MINUTE: Final = 60 * SECOND
Likeness: TypeAlias = tuple[object, ...]


def likeness(signal: Signal) -> Likeness:
    """Return what two signals have in common that ask for the same order, whatever caused them."""
    return (
        signal.symbol, signal.intent, signal.quantity, signal.notional, signal.target_quantity,
        signal.target_weight, signal.risk_pct, signal.order_type, signal.limit_price, signal.stop_price,
    )  # fmt: skip


class Recent:
    """Orders of the last minute by party, and the buckets of accounts. Time is an argument (ns)."""

    def __init__(self) -> None:
        self._orders: dict[tuple[Scope, str], deque[tuple[int, Likeness]]] = {}
        self._alike: dict[tuple[Scope, str], Counter[Likeness]] = {}
        self._buckets: dict[str, Bucket] = {}

    def add(self, deployment: str, account: str, signal: Signal, now: int) -> None:
        """Count an order that was accepted at ``now``, for its deployment and for its account."""
        like = likeness(signal)
        owners: tuple[tuple[Scope, str], ...] = (("deployment", deployment), ("account", account))
        for owner in owners:
            self._orders.setdefault(owner, deque()).append((now, like))
            self._alike.setdefault(owner, Counter())[like] += 1
            self._drop(owner, now)

    def of(self, owner: tuple[Scope, str], like: Likeness, now: int) -> tuple[int, int]:
        """Return how many orders a party had in the minute before ``now``, and how many of them like this."""
        if owner not in self._orders:
            return 0, 0
        self._drop(owner, now)
        return len(self._orders[owner]), self._alike[owner][like]

    def tokens(self, account: str, rate: float, now: int) -> float:
        """Return what the bucket of an account holds."""
        bucket = self._buckets.get(account)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[account] = Bucket(rate, max(1, rate))
        return bucket.level(now)

    def take(self, account: str) -> None:
        """Use up one token of those that ``tokens`` told of."""
        if bucket := self._buckets.get(account):
            bucket.take()

    def _drop(self, owner: tuple[Scope, str], now: int) -> None:
        """Forget what is older than a minute. A clock that runs backwards forgets nothing."""
        orders, alike = self._orders[owner], self._alike[owner]
        while orders and orders[0][0] <= now - MINUTE:
            _, like = orders.popleft()
            alike[like] -= 1
            if not alike[like]:
                del alike[like]
