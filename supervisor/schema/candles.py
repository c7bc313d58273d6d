"""Closed candles, for charts."""

from __future__ import annotations

from supervisor.schema.base import View


class CandleView(View):
    """One closed candle over ``[open_time, close_time)``, in ns.

    ``volume`` is in units where ``volume_kind`` is trade. ``partial``: its beginning was not seen.
    ``synthetic``: nothing traded, and it repeats the last close. ``quality`` incomplete: some may be missing.
    """

    symbol: str
    timeframe: str
    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = 0
    turnover: float | None = None
    volume_kind: str = "trade"
    partial: bool = False
    synthetic: bool = False
    quality: str = "ok"
