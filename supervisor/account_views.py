"""What binds an account and how far it is from that, by the engine's picture and the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

from msgspec.structs import asdict

from strategies.trading.accounts import AccountTerms
from strategies.trading.limits import Limits
from supervisor.schema import (
    ExposureView,
    LimitsView,
    LossView,
    PositionRow,
    SymbolExposure,
    TightenedView,
)
from supervisor.tightening import Book, binding
from supervisor.trading_control import AccountRow
from supervisor.views import latch_view


def limits(row: AccountRow, terms: AccountTerms | None, tightened: Book) -> LimitsView:
    """Return what binds an account; ``terms`` None: it is not configured, and has no limits of its own."""
    by = terms or AccountTerms(name=row.name)
    return LimitsView(
        name=row.name,
        currency=row.currency or by.currency,
        configured=terms is not None,
        capital=by.capital,
        signals_per_s=by.signals_per_s,
        limits=binding(by.risk, tightened),
        configured_limits=dict(by.risk),
        tightened={name: TightenedView(**asdict(one)) for name, one in tightened.items()},
        orders_today=row.orders_today,
        open_positions=row.open_positions,
    )


def exposure(row: AccountRow, positions: Iterable[PositionRow]) -> ExposureView:
    """Return what an account has in the market; ``positions`` are its own."""
    held: dict[str, list[PositionRow]] = {}
    for one in positions:
        if one.quantity:
            held.setdefault(one.symbol, []).append(one)
    return ExposureView(
        name=row.name,
        currency=row.currency,
        gross=row.exposure,
        net=row.net_exposure,
        symbols=[_symbol(symbol, held[symbol]) for symbol in sorted(held)],
    )


def _symbol(symbol: str, held: list[PositionRow]) -> SymbolExposure:
    return SymbolExposure(
        symbol=symbol,
        long=fsum(one.quantity for one in held if one.quantity > 0),
        short=fsum(-one.quantity for one in held if one.quantity < 0),
        net=fsum(one.quantity for one in held),
        deployments=sorted(one.deployment_id for one in held),
    )


def loss(row: AccountRow, terms: AccountTerms | None) -> LossView:
    """Return how far an account is from its limits of loss."""
    wanted = Limits.of(terms.risk if terms else {})
    equity, peak, day = row.equity, row.peak_equity, row.day_profit
    fall = None if equity is None or peak is None else max(0.0, peak - equity)
    return LossView(
        name=row.name,
        currency=row.currency,
        day=row.day,
        equity=equity,
        start_equity=None if equity is None or day is None else equity - day,
        day_profit=day,
        peak_equity=peak,
        drawdown=fall,
        drawdown_percent=100 * fall / peak if fall is not None and peak is not None and peak > 0 else None,
        max_daily_loss=wanted.max_daily_loss,
        max_daily_loss_percentage=wanted.max_daily_loss_percentage,
        max_drawdown=wanted.max_drawdown,
        daily_profit_lock=wanted.daily_profit_lock,
        on_breach=wanted.on_breach,
        latch=latch_view(row.latch),
    )
