"""What is traded: its price grid, its lots, its multiplier, its money, its names at venues."""

from __future__ import annotations

from msgspec import Struct


class Instrument(Struct, frozen=True, kw_only=True):
    """One symbol's terms. None is unknown or not limited; ``currency`` "" is that of the account.

    ``base`` is set where the price is a rate of exchange: units of ``currency`` for one of ``base``.
    ``venues`` maps a venue to the symbol's name there.
    """

    symbol: str
    tick_size: float | None = None
    lot_size: float | None = None
    min_quantity: float | None = None
    multiplier: float = 1.0
    currency: str = ""
    base: str = ""
    venues: dict[str, str] = {}
    calendar: str = ""
