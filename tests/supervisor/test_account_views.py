"""What binds an account and how far it is from that: unknown stays unknown, and money has its sign."""

from __future__ import annotations

from typing import Any

import pytest

from strategies.trading.accounts import AccountTerms
from supervisor.account_views import exposure, limits, loss
from supervisor.schema import PositionRow
from supervisor.trading_control import AccountRow

TERMS = AccountTerms(
    name="fund", currency="EUR", capital=1000.0, signals_per_s=7,
    risk={"max_daily_loss": 50.0, "max_drawdown": 5.0, "on_breach": "flatten"},
)  # fmt: skip


def row(**known: Any) -> AccountRow:
    return AccountRow(name="fund", currency="EUR", **known)


def held(name: str, symbol: str, quantity: float) -> PositionRow:
    return PositionRow(
        deployment_id=name, account="fund", symbol=symbol, quantity=quantity, average_price=1.0, realised=0.0,
        fifo_realised=0.0, fees=0.0, currency="EUR",
    )  # fmt: skip


def test_limits_are_those_of_the_configuration():
    view = limits(row(orders_today=3), TERMS, {})
    assert (True, 1000.0, 7, 3) == (view.configured, view.capital, view.signals_per_s, view.orders_today)
    assert TERMS.risk == view.limits


def test_an_account_that_is_not_configured_has_no_limits_but_the_usual_rate():
    view = limits(row(), None, {})
    assert (False, None, {}) == (view.configured, view.capital, view.limits)
    assert AccountTerms(name="").signals_per_s == view.signals_per_s


def test_exposure_sets_long_and_short_apart_and_leaves_out_what_is_flat():
    rows = [held("b", "EURUSD", 3.0), held("a", "EURUSD", -1.0), held("a", "GOLD", 0.0)]
    view = exposure(row(exposure=400.0, net_exposure=200.0), rows)
    assert (400.0, 200.0) == (view.gross, view.net)
    (only,) = view.symbols
    assert ("EURUSD", 3.0, 1.0, 2.0, ["a", "b"]) == (
        only.symbol, only.long, only.short, only.net, only.deployments,
    )  # fmt: skip


def test_an_exposure_without_a_price_is_unknown():
    assert (None, None) == (exposure(row(), []).gross, exposure(row(), []).net)


def test_loss_counts_from_the_beginning_of_the_day_and_from_the_peak():
    view = loss(row(equity=950.0, day_profit=-30.0, peak_equity=1000.0), TERMS)
    assert (980.0, -30.0, 50.0, 5.0) == (
        view.start_equity, view.day_profit, view.drawdown, view.drawdown_percent,
    )  # fmt: skip
    assert (50.0, 5.0, None, "flatten") == (
        view.max_daily_loss, view.max_drawdown, view.max_daily_loss_percentage, view.on_breach,
    )  # fmt: skip


def test_above_its_last_known_peak_nothing_is_lost():
    assert (0.0, 0.0) == (
        (view := loss(row(equity=1001.0, peak_equity=1000.0), TERMS)).drawdown, view.drawdown_percent,
    )  # fmt: skip


@pytest.mark.parametrize("known", [{}, {"equity": 1.0}, {"peak_equity": 1.0}, {"day_profit": 1.0}])
def test_what_is_not_known_is_none(known):
    view = loss(row(**known), TERMS)
    assert (None, None, None) == (view.start_equity, view.drawdown, view.drawdown_percent)
