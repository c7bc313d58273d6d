"""Market data as the daemon has it: symbols, candles, sessions, indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from supervisor.client.call import Call, get

if TYPE_CHECKING:
    from supervisor.schema.candles import CandleView
    from supervisor.schema.data import CalendarView, IndicatorList, SymbolView


def symbols() -> Call[list[SymbolView]]:
    """Every symbol that is configured or read, by name."""
    return get("symbols")


def candles(
    symbol: str, timeframe: str, *, n: int | None = None, before: int | None = None
) -> Call[list[CandleView]]:
    """The last ``n`` closed candles, the oldest first; ``before`` an instant, in ns, those before it."""
    return get("candles", {"symbol": symbol, "timeframe": timeframe, "n": n, "before": before})


def calendar(venue: str, *, days: int | None = None) -> Call[CalendarView]:
    """Whether a calendar is in session, and its next trading days."""
    return get(f"calendar/{quote(venue)}", {"days": days})  # a name may hold a slash: 24x7@Europe/London


def indicators() -> Call[IndicatorList]:
    """What strategies get from ``ctx.indicator``, with the arguments of each."""
    return get("indicators")
