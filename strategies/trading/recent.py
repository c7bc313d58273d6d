"""The orders of the last minute, of each deployment and account: what limits a minute counts.

They follow the records of orders, so they outlive a restart: it is no way to trade faster than allowed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from bus.messages import Signal
from strategies.trading.desk import Bucket
from strategies.trading.latches import Scope
from strategies.trading.orders import Order
from strategies.trading.ttl import SECOND

MINUTE: Final = 60 * SECOND
Owner: TypeAlias = tuple[Scope, str]
Row: TypeAlias = tuple[str, str, int, int]
"""An order as it is kept: deployment, account, when it was accepted (ns), what it is like."""
_encode: Final = msgspec.msgpack.Encoder().encode


def likeness(signal: Signal) -> int:
    """Return a number, not 0, that signals have in common which ask for the same order."""
    asked = (
        signal.symbol, signal.intent, signal.quantity, signal.notional, signal.target_quantity,
        signal.target_weight, signal.risk_pct, signal.order_type, signal.limit_price, signal.stop_price,
    )  # fmt: skip
    return int.from_bytes(sha256(_encode(asked)).digest()[:6]) | 1


class Recent:
    """Entries of the last minute by party. Time is an argument (ns)."""

    def __init__(self) -> None:
        self._orders: dict[Owner, deque[tuple[int, int]]] = {}
        self._alike: dict[Owner, Counter[int]] = {}
        self._rows: deque[Row] = deque()
        self._newest = 0

    def add(self, order: Order) -> None:
        """Count an entry, for its deployment and for its account; an order without a likeness is none."""
        if order.like:
            self.put((order.deployment_id, order.account_id, order.accepted_at, order.like))

    def put(self, row: Row) -> None:
        """Count one entry as it was kept."""
        deployment, account, at, like = row
        self._newest = max(self._newest, at)
        self._rows.append(row)
        while self._rows and self._rows[0][2] <= self._newest - MINUTE:
            self._rows.popleft()
        owners: tuple[Owner, ...] = (("deployment", deployment), ("account", account))
        for owner in owners:
            self._orders.setdefault(owner, deque()).append((at, like))
            self._alike.setdefault(owner, Counter())[like] += 1
            self._drop(owner, at)

    def of(self, owner: Owner, like: int, now: int) -> tuple[int, int]:
        """Return how many orders a party had in the minute before ``now``, and how many of them like this."""
        if owner not in self._orders:
            return 0, 0
        self._drop(owner, now)
        return len(self._orders[owner]), self._alike[owner][like]

    def everything(self) -> list[Row]:
        """Return the entries of the minute before the newest, by acceptance."""
        return within_a_minute(self._rows)

    def _drop(self, owner: Owner, now: int) -> None:
        """Forget what is older than a minute. A clock that runs backwards forgets nothing."""
        orders, alike = self._orders[owner], self._alike[owner]
        while orders and orders[0][0] <= now - MINUTE:
            _, like = orders.popleft()
            alike[like] -= 1
            if not alike[like]:
                del alike[like]


def within_a_minute(rows: Iterable[Row]) -> list[Row]:
    """Return those of ``rows`` that are of the minute before the newest of them."""
    rows = list(rows)
    newest = max((row[2] for row in rows), default=0)
    return [row for row in rows if row[2] > newest - MINUTE]


class Buckets:
    """How fast accounts may still ask: a bucket each, full again after a restart."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

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
