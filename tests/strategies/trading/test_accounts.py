"""Accounts: their money, unknown where a part of it is; and their days."""

from collections import Counter
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from math import inf, nan
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Position
from bus.sessions import CalendarError
from strategies.trading.accounts import (
    AccountTerms,
    Exposure,
    Ledger,
    Money,
    Settled,
    equity,
    exposure,
    terms_of,
    total,
    trading_day,
)
from strategies.trading.instruments import Instrument
from strategies.trading.money import Rates

EURUSD = {"EURUSD": Instrument(symbol="EURUSD", base="EUR", currency="USD")}


def position(symbol, quantity, average=100.0, **fields):
    return Position("d", symbol, quantity, average, **fields)


def money(ledger, prices, capital=1000.0, currency="USD"):
    return equity(
        ledger, capital=capital, price=prices.get, rates=Rates(prices.get, EURUSD), currency=currency
    )


# ---- terms ------------------------------------------------------------------------------------------
def test_an_account_that_nobody_configured_is_on_paper_and_its_capital_unknown():
    mine = AccountTerms(name="mine", currency="EUR", capital=5.0, live=True)
    assert mine is terms_of({"mine": mine}, "mine")
    other = AccountTerms(
        name="other", currency="USD", capital=None, live=False, route="", risk={}, zone="UTC", day_starts=0,
        signals_per_s=1_000,
    )  # fmt: skip
    assert other == terms_of({"mine": mine}, "other")


# ---- ledger -----------------------------------------------------------------------------------------
def test_a_ledger_adds_up_by_currency_what_is_held_and_what_is_gone():
    held = position("X", 1.0, realised=10.0, fees=1.0, currency="USD")
    flat = position("Y", 0.0, 0.0, realised=20.0, fees=2.0, currency="EUR")
    gone = Settled("A", "USD", 5.0, 0.5)
    ledger = Ledger.of([flat, held], [gone])
    assert Ledger({"EUR": 20.0, "USD": 15.0}, {"EUR": 2.0, "USD": 1.5}, (held,)) == ledger
    assert ["EUR", "USD"] == list(ledger.realised) == list(ledger.fees)


def test_a_ledger_does_not_depend_on_the_order_of_its_positions():
    some = [
        Position(owner, symbol, 1.0, realised=realised)
        for owner, symbol, realised in (("e", "X", 1e16), ("d", "Y", 1.0), ("d", "X", -1e16), ("e", "A", 1.0))
    ]
    assert {"": 2.0} == Ledger.of(some).realised
    assert Ledger.of(some) == Ledger.of(reversed(some))
    assert [("d", "X"), ("d", "Y"), ("e", "A"), ("e", "X")] == [
        (one.deployment_id, one.symbol) for one in Ledger.of(some).open
    ]


# ---- equity -----------------------------------------------------------------------------------------
def test_equity_is_capital_and_profit_realised_or_not():
    ledger = Ledger.of([position("X", 2.0, realised=-7.0, fees=3.0), position("Y", -1.0, 50.0)])
    expected = Money("USD", -7.0, 2 * 5.0 + 10.0, 3.0, 13.0, 1013.0)
    assert expected == money(ledger, {"X": 105.0, "Y": 40.0})


def test_money_of_other_currencies_is_converted_and_that_of_no_name_is_the_accounts():
    ledger = Ledger.of(
        [
            position("X", 2.0, realised=8.0, fees=4.0, currency="EUR", multiplier=10.0),
            position("Y", 1.0, realised=1.0),
        ]
    )
    prices = {"X": 101.0, "Y": 103.0, "EURUSD": 1.25}
    assert Money("USD", 11.0, 28.0, 5.0, 39.0, 1039.0) == money(ledger, prices)
    assert Money("EUR", 9.0, 23.0, 4.0, 32.0, 1032.0) == money(ledger, prices, currency="EUR")


def test_one_open_position_without_a_price_makes_profit_and_equity_unknown():
    ledger = Ledger.of([position("X", 1.0, realised=5.0), position("Y", 1.0)])
    expected = Money("USD", 5.0, None, 0.0, None, None, ("price of Y",))
    assert expected == money(ledger, {"X": 105.0})


@pytest.mark.parametrize("price", [nan, inf, -inf, None])
def test_a_price_that_is_no_number_is_unknown(price):
    assert money(Ledger.of([position("X", 1.0)]), {"X": price}).equity is None


def test_a_flat_position_needs_no_price():
    assert 1005.0 == money(Ledger.of([position("X", 0.0, 0.0, realised=5.0)]), {}).equity


def test_a_currency_without_a_rate_makes_unknown_what_needs_it_and_no_more():
    flat = position("X", 0.0, 0.0, realised=5.0, currency="EUR")
    expected = Money("USD", None, 0.0, 0.0, None, None, ("rate from EUR to USD",))
    assert expected == money(Ledger.of([flat]), {})
    held = position("X", 1.0, currency="EUR")
    assert Money("USD", 0.0, None, 0.0, None, None, ("rate from EUR to USD",)) == money(
        Ledger.of([held]), {"X": 105.0}
    )
    # Nothing is nothing in every currency.
    assert 1000.0 == money(Ledger.of([held]), {"X": 100.0}).equity


def test_each_thing_that_is_missing_is_named_once():
    some = [
        position("X", 1.0, realised=1.0, fees=1.0, currency="EUR"),
        Position("e", "X", 1.0, currency="EUR"),
        position("Y", 1.0, currency="EUR"),
    ]
    expected = ("price of X", "rate from EUR to USD", "capital")
    assert expected == money(Ledger.of(some), {"Y": 7.0}, capital=None).missing


@pytest.mark.parametrize("capital", [None, nan, inf])
def test_without_capital_profit_is_known_and_equity_is_not(capital):
    found = money(Ledger.of([position("X", 1.0)]), {"X": 105.0}, capital)
    assert (5.0, None, ("capital",)) == (found.profit, found.equity, found.missing)


def test_a_realised_profit_that_is_no_number_is_never_taken_for_one():
    assert money(Ledger.of([position("X", 0.0, 0.0, realised=nan)]), {}).equity is None


# ---- exposure ---------------------------------------------------------------------------------------
def exposed(ledger, prices, currency="USD"):
    return exposure(ledger, price=prices.get, rates=Rates(prices.get, EURUSD), currency=currency)


def test_gross_adds_long_and_short_and_net_sets_them_off():
    ledger = Ledger.of([
        position("X", 2.0, currency="EUR", multiplier=10.0), position("Y", -3.0), position("Z", 0.0),
    ])  # fmt: skip
    prices = {"X": 10.0, "Y": 50.0, "EURUSD": 1.25}
    assert Exposure("USD", 400.0, 100.0) == exposed(ledger, prices)
    assert Exposure("USD", 0.0, 0.0) == exposed(Ledger(), {})


def test_a_price_below_zero_exposes_as_well():
    ledger = Ledger.of([position("X", 2.0), position("Y", -1.0)])
    assert Exposure("USD", 70.0, -70.0) == exposed(ledger, {"X": -10.0, "Y": 50.0})


@pytest.mark.parametrize("price", [nan, inf, None])
def test_what_has_no_price_makes_exposure_unknown(price):
    ledger = Ledger.of([position("X", 2.0), position("Y", 1.0)])
    assert Exposure("USD", None, None, ("price of X",)) == exposed(ledger, {"X": price, "Y": 5.0})


def test_what_has_no_rate_makes_exposure_unknown():
    ledger = Ledger.of([position("X", 2.0, currency="EUR")])
    assert Exposure("USD", None, None, ("rate from EUR to USD",)) == exposed(ledger, {"X": 5.0})


# ---- sums -------------------------------------------------------------------------------------------
def test_a_sum_with_something_unknown_is_unknown():
    assert 6.0 == total((1.0, 2.0, 3.0))
    assert 0.0 == total(())
    assert [None] * 4 == [total((1.0, unknown, 2.0)) for unknown in (None, nan, inf, -inf)]
    assert total((1.7e308, 1.7e308, -1.7e308)) is None


PRICE = st.one_of(st.none(), st.just(nan), st.floats(1.0, 1e3))
HELD = st.builds(
    Position,
    st.sampled_from("de"), st.sampled_from("XYZ"), st.sampled_from([0.0, 1.0, -2.5]), st.floats(1.0, 1e3),
    st.floats(-1e6, 1e6), currency=st.sampled_from(["", "USD", "EUR", "CHF"]),
)  # fmt: skip


@given(
    st.lists(HELD, max_size=6, unique_by=lambda one: (one.deployment_id, one.symbol)),
    st.dictionaries(st.sampled_from(["X", "Y", "Z", "EURUSD"]), PRICE),
    st.one_of(st.none(), st.floats(0.0, 1e9)),
)
def test_equity_is_known_exactly_where_all_that_it_needs_is(positions, prices, capital):
    def known(symbol):
        return prices.get(symbol) is not None and prices[symbol] > 0

    def worth(parts):
        """Exactly what sums by currency come to, None where one is not nothing and its rate unknown."""
        sums = Counter()
        for currency, amount in parts:
            sums[currency or "USD"] += Fraction(amount)
        if sums["CHF"] or (sums["EUR"] and not known("EURUSD")):
            return None
        return sums["USD"] + (sums["EUR"] * Fraction(prices["EURUSD"]) if sums["EUR"] else 0)

    held = [one for one in positions if one.quantity]
    floating = None
    if all(known(one.symbol) for one in held):
        marks = [(one.currency, (prices[one.symbol] - one.average_price) * one.quantity) for one in held]
        floating = worth(marks)
    parts = [worth((one.currency, one.realised) for one in positions), floating, capital]
    found = money(Ledger.of(positions), prices, capital)
    if None in parts:
        assert found.equity is None
        assert found.missing
    else:
        assert float(sum(map(Fraction, parts))) == pytest.approx(found.equity, rel=1e-12, abs=1e-3)
        assert () == found.missing


# ---- days -------------------------------------------------------------------------------------------
def instant(zone, *when):
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000_000


HOUR = 3600 * 1_000_000_000


def test_a_day_begins_at_midnight_in_its_zone():
    first = instant("Asia/Kolkata", 2026, 3, 2)
    assert "2026-03-01" == trading_day(first - 1, "Asia/Kolkata", 0).label
    day = trading_day(first, "Asia/Kolkata", 0)
    assert ("2026-03-02", first, first + 24 * HOUR) == (day.label, day.open, day.close)


def test_a_day_may_begin_the_evening_before():
    sunday = instant("America/New_York", 2026, 3, 1, 17)
    assert "2026-03-01" == trading_day(sunday - 1, "America/New_York", -25_200).label
    assert "2026-03-02" == trading_day(sunday, "America/New_York", -25_200).label


def test_a_day_may_begin_in_its_evening():
    monday = instant("America/New_York", 2026, 3, 2, 17)
    assert "2026-03-01" == trading_day(monday - 1, "America/New_York", 61_200).label
    assert "2026-03-02" == trading_day(monday, "America/New_York", 61_200).label


def test_where_the_clocks_change_a_day_has_23_or_25_hours():
    spring = trading_day(instant("Europe/Berlin", 2026, 3, 29, 12), "Europe/Berlin", 0)
    autumn = trading_day(instant("Europe/Berlin", 2026, 10, 25, 12), "Europe/Berlin", 0)
    assert (23 * HOUR, 25 * HOUR) == (spring.close - spring.open, autumn.close - autumn.open)


def test_a_zone_that_is_none_is_named():
    with pytest.raises(CalendarError, match="'Moon/Base' is no IANA time zone"):
        trading_day(0, "Moon/Base", 0)


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]),
    st.integers(-86_400, 86_400),
)
def test_every_instant_is_in_one_day_and_days_follow_without_a_gap(now, zone, starts):
    days = [trading_day(now * 1_000_000_000, zone, starts)]
    days.append(trading_day(days[0].close, zone, starts))
    days.insert(0, trading_day(days[0].open - 1, zone, starts))
    assert days[1].open <= now * 1_000_000_000 < days[1].close
    assert all(one.close == other.open and one.label < other.label for one, other in pairwise(days))
