"""Money: accounts, positions, orders and trades. None is unknown, and never zero."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from supervisor.schema.base import Request, View


class LatchRequest(Request):
    """``account pause|kill|rearm``: why, for the record."""

    reason: Annotated[str, Field(max_length=500)] = ""


class LatchView(View):
    """What bars a deployment or an account until an operator takes it back; ``at`` is event time."""

    scope: Literal["account", "deployment"]
    name: str
    kind: Literal["pause", "exit_only", "flatten", "lock"]
    rule: str
    reason: str
    at: int
    by: Literal["limit", "operator"]


class LatchResult(View):
    """What a verb on a latch did: ``latch`` is what is set now, None for none."""

    scope: Literal["account", "deployment"]
    name: str
    changed: bool
    latch: LatchView | None = None


class AccountView(View):
    """One account, in its ``currency``. ``day_profit`` counts from the beginning of its trading day.

    ``exposure`` is the worth of what is held, long and short alike.
    """

    name: str
    currency: str
    configured: bool = False
    live: bool = False
    capital: float | None = None
    equity: float | None = None
    realised: float | None = None
    unrealised: float | None = None
    fees: float | None = None
    exposure: float | None = None
    day: str = ""
    day_profit: float | None = None
    peak_equity: float | None = None
    orders_today: int = 0
    open_positions: int = 0
    deployments: list[str] = []
    latch: LatchView | None = None


class GuardView(View):
    """The exits that the engine owns of one position: absolute prices, and event times."""

    stop: float | None = None
    trailing_stop: float | None = None
    target: float | None = None
    expires_at: int | None = None
    square_off_at: int | None = None


class PositionRow(View):
    """What one deployment holds in one symbol, money in ``currency``; ``unrealised`` None without a price."""

    deployment_id: str
    account: str
    symbol: str
    quantity: float
    average_price: float
    unrealised: float | None = None
    realised: float
    fifo_realised: float
    fees: float
    currency: str
    guard: GuardView | None = None


class OrderRow(View):
    """One order. ``status`` is ``waiting``, ``filled``, or why it ended; ``role`` who asked for it."""

    order_id: str
    deployment_id: str
    account: str
    symbol: str
    quantity: float
    filled: float
    kind: str
    limit_price: float | None = None
    stop_price: float | None = None
    time_in_force: str
    role: str
    route: str
    status: str
    accepted_at: int


class TradeRow(View):
    """One execution. ``profit`` is of the round trip that it ended, net of fees; None where it ended none."""

    seq: int
    at: int
    deployment_id: str
    account: str
    symbol: str
    quantity: float
    price: float
    fee: float
    currency: str
    role: str
    order_id: str
    profit: float | None = None


class SymbolExposure(View):
    """What the deployments of an account hold in one symbol: ``long`` and ``short`` units, both unsigned."""

    symbol: str
    long: float = 0.0
    short: float = 0.0
    net: float = 0.0
    deployments: list[str] = []


class ExposureView(View):
    """What an account has in the market, in ``currency``.

    ``gross`` adds long and short up, ``net`` sets them off; both None while a price or a rate is unknown.
    """

    name: str
    currency: str
    gross: float | None = None
    net: float | None = None
    symbols: list[SymbolExposure] = []


class LossView(View):
    """How far an account is from its limits of loss, in ``currency``; percentages are percent.

    ``start_equity`` is what its trading ``day`` began with, and ``day_profit`` counts from there.
    ``drawdown`` is from ``peak_equity``, in money, and ``drawdown_percent`` of it; both zero at the peak.
    """

    name: str
    currency: str
    day: str = ""
    equity: float | None = None
    start_equity: float | None = None
    day_profit: float | None = None
    peak_equity: float | None = None
    drawdown: float | None = None
    drawdown_percent: float | None = None
    max_daily_loss: float | None = None
    max_daily_loss_percentage: float | None = None
    max_drawdown: float | None = None
    daily_profit_lock: float | None = None
    on_breach: str = "pause"
    latch: LatchView | None = None
