"""What is traded, when, and what strategies can compute of it."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Literal

from supervisor.schema.base import View


class SymbolView(View):
    """One symbol that the daemon knows: of the instruments file, or because a deployment reads it.

    ``configured``: the instruments file has terms for it; ``problem`` says why those cannot be used.
    None is not limited, and "" of ``currency`` the account's.
    """

    symbol: str
    configured: bool = False
    tick_size: float | None = None
    lot_size: float | None = None
    min_quantity: float | None = None
    multiplier: float = 1.0
    currency: str = ""
    base: str = ""
    calendar: str = ""
    venues: dict[str, str] = {}
    deployments: list[str] = []
    problem: str = ""


class SymbolPage(View):
    """Symbols by name; ``next`` is what to give as ``after`` for those behind them, None at the end."""

    symbols: list[SymbolView]
    next: str | None = None


class SegmentView(View):
    """From ``opens`` until before ``closes``, unix ns."""

    opens: int
    closes: int


class TradingDayView(View):
    """One trading day by the date that labels it."""

    day: str
    segments: list[SegmentView]


class CalendarView(View):
    """Sessions of a venue from now on. ``known_until``: the end of its table, None for a weekly rule."""

    name: str
    zone: str
    in_session: bool
    next_open: int | None = None
    known_until: int | None = None
    days: list[TradingDayView] = []


class ArgumentView(View):
    """One argument of an indicator; ``default`` None where it has to be given."""

    name: str
    type: str
    default: int | float | None = None


class IndicatorView(View):
    """One indicator that ``ctx.indicator`` makes: of closes, or of high, low and close of candles."""

    name: str
    description: str
    takes: Literal["close", "candle"]
    arguments: list[ArgumentView] = []


class IndicatorList(View):
    """Every indicator, by name."""

    indicators: list[IndicatorView]
