"""Tables of money, pure: what is unknown, what is cut where a terminal is narrow."""

from __future__ import annotations

import pytest

from cli import render_money
from cli.tables import fit, plain
from supervisor.schema import AccountView, GuardView, OrderRow, PositionRow, TradeRow
from tests.supervisor.fake_daemon import AT
from tests.supervisor.fake_money import latch

LONG = "a-deployment-with-a-long-name"


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [(None, "USD", "?"), (0.0, "", "0.00"), (-1234567.891, "EUR", "-1,234,567.89 EUR"), (0.004, "", "0.00")],
)
def test_money_is_to_the_cent_and_unknown_is_no_zero(value, currency, text):
    assert text == render_money.money(value, currency)


@pytest.mark.parametrize(
    ("guard", "text"),
    [
        (None, "-"),
        (GuardView(), "waiting to trail"),
        (GuardView(stop=98.5), "stop 98.5"),
        (GuardView(trailing_stop=99, target=105), "trail 99, target 105"),
        (GuardView(expires_at=AT, square_off_at=AT), "time, square-off"),
    ],
)
def test_a_guard_is_said_in_a_few_words(guard, text):
    assert text == render_money.guard(guard)


def test_an_account_says_who_bars_it_and_how_that_is_taken_back():
    view = AccountView(name="fund", currency="EUR", configured=True, capital=100_000.0, latch=latch("fund"))
    text = render_money.account(view)
    assert "lock, by operator: drill ('stratd account rearm')" in text
    assert "100,000.00 EUR" in text
    assert "? since no day has begun" in text


def test_what_bars_is_said_of_words_without_terminal_codes():
    text = render_money.account(
        AccountView(name="fund", currency="EUR", latch=latch("fund", reason="\x1b[31mred\nline"))
    )
    assert "\x1b" not in text
    assert "barred by" in text


def sheets():
    held = PositionRow(
        deployment_id=LONG,
        account="fund",
        symbol="EURUSD",
        quantity=-100_000.0,
        average_price=1.10345,
        realised=-1234.56,
        fifo_realised=-1234.56,
        fees=12.5,
        currency="USD",
        guard=GuardView(stop=1.2, target=1.0),
    )
    order = OrderRow(
        order_id="0123456789abcdef",
        deployment_id=LONG,
        account="fund",
        symbol="EURUSD",
        quantity=100_000.0,
        filled=50_000.0,
        kind="stop_limit",
        limit_price=1.1,
        stop_price=1.2,
        time_in_force="day",
        role="trailing_stop",
        route="gateway",
        status="waiting",
        accepted_at=AT,
    )
    trade = TradeRow(
        seq=123456,
        at=AT,
        deployment_id=LONG,
        account="fund",
        symbol="EURUSD",
        quantity=-1.0,
        price=1.1,
        fee=0.25,
        currency="USD",
        role="take_profit",
        order_id="0123456789abcdef",
    )
    account = AccountView(name="fund", currency="EUR", equity=1e6, latch=latch("fund", "exit_only"))
    yield render_money.positions([held]), "QUANTITY"
    yield render_money.orders([order]), "STATUS"
    yield render_money.trades([trade]), "PRICE"
    yield render_money.accounts([account]), "LATCH"


@pytest.mark.parametrize(("sheet", "kept"), list(sheets()))
def test_80_columns_hold_what_matters_most(sheet, kept):
    text = plain(fit(sheet, 80))
    assert max(map(len, text.splitlines())) <= 80
    assert kept in text.splitlines()[0].split()


def test_a_trade_that_ended_no_round_trip_has_no_profit_and_not_zero():
    (trades, _) = list(sheets())[2]
    profit = [column.title for column in trades.columns].index("PROFIT")
    assert "-" == trades.rows[0][profit]
