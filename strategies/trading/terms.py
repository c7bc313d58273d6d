"""The terms of paper trading: what a fill costs, and how far it is from the price that was seen."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class NoCommission(Struct, frozen=True, tag="none"):
    """Nothing is charged: errs towards the strategy."""


class NoSlippage(Struct, frozen=True, tag="none"):
    """Fills at the price of the market: errs towards the strategy beyond the size on offer."""


Commission: TypeAlias = NoCommission
Slippage: TypeAlias = NoSlippage


class Terms(Struct, frozen=True, kw_only=True):
    """``latency`` in ns is added to the data behind a signal; ``volume_share`` None fills whole orders."""

    commission: Commission = NoCommission()
    slippage: Slippage = NoSlippage()
    latency: int = 0
    volume_share: float | None = None
    trade_through: bool = False
