"""What the gate looks at besides the signal, and what it answers."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from msgspec import Struct

from bus.messages import Decision
from strategies.trading.desk import Standing
from strategies.trading.limits import Limits
from strategies.trading.orders import combine


class View(Struct, frozen=True, kw_only=True, gc=False):
    """Everything besides the signal that a verdict depends on, for one symbol of one deployment.

    ``buying`` and ``selling`` are the signed sums of the orders that wait, ``waiting`` their number;
    ``price`` is the last known one, ``tokens`` what the rate's bucket holds.
    """

    standing: Standing
    current: bool
    warm: bool
    duplicate: bool
    symbols: AbstractSet[str]
    timeframes: AbstractSet[str]
    mode: str
    limits: Limits
    held: float = 0.0
    buying: float = 0.0
    selling: float = 0.0
    waiting: int = 0
    price: float | None = None
    tokens: float = 1.0

    @property
    def expected(self) -> float:
        """The position once every waiting order has filled."""
        if not (self.buying or self.selling):
            return self.held
        return combine(self.held, combine(self.buying, self.selling))


class Verdict(Struct, frozen=True, gc=False):
    """What becomes of a signal: ``quantity`` is the signed order, None for a refusal and for a cancel."""

    decision: Decision
    rule: str = ""
    detail: str = ""
    quantity: float | None = None
    reduce_only: bool = False

    @property
    def passed(self) -> bool:
        """Whether the signal takes effect."""
        return self.decision in {"accepted", "modified"}
