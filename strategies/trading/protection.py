"""The exits that the engine owns: stop, trailing stop, target, time stop, square-off."""

from __future__ import annotations

from msgspec import Struct

from bus.messages import Level, Trail


class Protection(Struct, frozen=True, array_like=True, kw_only=True):
    """What is to guard a position: of the signal that opened it and of the risk configuration, the tighter.

    ``atr`` and ``tick_size`` are what distances of these kinds are multiples of, None where unknown.
    ``square_off_at`` is event time in ns, 0 for none.
    """

    stop_loss: Level | None = None
    take_profit: Level | None = None
    trailing_stop: Trail | None = None
    time_stop_s: float | None = None
    square_off_at: int = 0
    atr: float | None = None
    tick_size: float | None = None


class Guard(Struct, frozen=True, array_like=True, kw_only=True):
    """What guards one open position. Prices are absolute; times event time in ns, 0 for none.

    ``seq`` is the record of its beginning; ``after`` the number of the last tick of its symbol before it: a
    tick is looked at again after a crash, and only later ones count. ``peak`` is the best price so far.
    """

    deployment_id: str
    account_id: str
    symbol: str
    seq: int
    after: int
    side: int
    entry: float
    opened_at: int
    protect: Protection
    stop: float | None = None
    target: float | None = None
    peak: float | None = None
    armed: bool = False
    trail_stop: float | None = None
    expires_at: int = 0
    square_off_at: int = 0
    signal_id: str = ""
    leg: str = ""
