"""The figures of a trading day by which limits are judged, for one deployment or one account.

They follow records: what an order, a round trip and a stop do to them is here, and needs no price. What a
price does to them (a new day, a peak) is computed beforehand, in ``risk``, and written down.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

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


def begun(figures: Figures, day: str) -> Figures:
    """Return the figures at the beginning of the trading day ``day``; the same again changes nothing.

    What the day begins with is unknown until it is measured. The losses in a row and when they were stay:
    a night does not end a cooldown that is to last longer.
    """
    if figures.day == day:
        return figures
    return replace(figures, day=day, start_equity=None, orders=0, locked_profit=False)


def ordered(figures: Figures, day: str) -> Figures:
    """Count one order that was accepted on ``day`` (``Order.day``).

    One of a feed that is behind, or is a recording, counts today: it takes no day back, and so no loss of it.
    """
    today = begun(figures, max(figures.day, day))  # ISO dates
    return replace(today, orders=today.orders + 1)


def round_trip(figures: Figures, profit: float, at: int) -> Figures:
    """Count a round trip that ended at ``at`` with ``profit``, net of fees (``Executed.closed``).

    A loss lengthens the run of losses, a profit ends it; one that broke even does neither, as in the
    statistics of a backtest. A profit that is not known to be one counts as a loss.
    """
    if profit > 0.0:
        return replace(figures, losses=0)
    if profit == 0.0:
        return figures
    return replace(figures, losses=figures.losses + 1, last_loss_at=max(figures.last_loss_at, at))


def stopped(figures: Figures, at: int) -> Figures:
    """Note that a stop (the first or a trailing one) ended a position at ``at``."""
    return replace(figures, last_stop_at=max(figures.last_stop_at, at))
