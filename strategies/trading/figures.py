"""The figures of a trading day by which limits are judged, for one deployment or one account."""

from __future__ import annotations

from msgspec import Struct

from strategies.trading.latches import Scope


class Figures(Struct, frozen=True, array_like=True, kw_only=True):
    """``day`` labels the trading day that ``start_equity`` and ``orders`` are of; None is unknown.

    ``peak_equity`` is since ever, or since an operator took a latch back. ``losses`` counts round trips in a
    row that lost money; times are event time in ns, 0 for never. ``locked_profit``: the day's profit once
    reached what is to be kept of it.
    """

    scope: Scope
    name: str
    day: str = ""
    start_equity: float | None = None
    peak_equity: float | None = None
    orders: int = 0
    losses: int = 0
    last_loss_at: int = 0
    last_stop_at: int = 0
    locked_profit: bool = False
