"""Every name that a strategy author imports: ``strategies`` gives them from here."""

from __future__ import annotations

from bus.messages import (
    Candle,
    FeedStatus,
    Fill,
    Level,
    OrderUpdate,
    Position,
    Reason,
    Signal,
    SignalAck,
    Tick,
    Trail,
)
from strategies.api import BaseStrategy, IStrategy, JsonValue, SignalReturn, StopReason
from strategies.books import Account, ClosedTrade, OpenOrder
from strategies.config import RiskConfig, StrategyConfig
from strategies.context import Context
from strategies.data import CANDLE_DTYPE, MarketView, MultiTimeframeData
from strategies.errors import NoSuchHistory, NotConfigured, StateIncompatible, StrategyError
from strategies.indicators import (
    ATR,
    EMA,
    MACD,
    RSI,
    SMA,
    WMA,
    Bands,
    BollingerBands,
    DonchianChannel,
    Indicator,
)

__all__ = [
    "ATR",
    "CANDLE_DTYPE",
    "EMA",
    "MACD",
    "RSI",
    "SMA",
    "WMA",
    "Account",
    "Bands",
    "BaseStrategy",
    "BollingerBands",
    "Candle",
    "ClosedTrade",
    "Context",
    "DonchianChannel",
    "FeedStatus",
    "Fill",
    "IStrategy",
    "Indicator",
    "JsonValue",
    "Level",
    "MarketView",
    "MultiTimeframeData",
    "NoSuchHistory",
    "NotConfigured",
    "OpenOrder",
    "OrderUpdate",
    "Position",
    "Reason",
    "RiskConfig",
    "Signal",
    "SignalAck",
    "SignalReturn",
    "StateIncompatible",
    "StopReason",
    "StrategyConfig",
    "StrategyError",
    "Tick",
    "Trail",
]
