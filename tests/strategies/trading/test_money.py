"""Rates of exchange from the prices of instruments that quote them."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.instruments import Instrument
from strategies.trading.money import Rates


def quoting(*pairs):
    """Instruments named as their pairs are: EURUSD is dollars for one euro."""
    return {pair: Instrument(symbol=pair, base=pair[:3], currency=pair[3:6]) for pair in pairs}


def rates(**prices):
    return Rates(prices.get, quoting(*prices))


def test_a_currency_is_worth_itself_whatever_is_known():
    assert 1.0 == rates().rate("EUR", "EUR")


def test_a_pair_is_taken_as_it_is_quoted():
    assert 1.25 == rates(EURUSD=1.25).rate("EUR", "USD")


def test_a_pair_quoted_the_other_way_is_inverted():
    assert 0.8 == rates(EURUSD=1.25).rate("USD", "EUR")


def test_the_quoted_direction_goes_before_the_inverse_of_the_other():
    assert 1.25 == rates(EURUSD=1.25, USDEUR=0.5).rate("EUR", "USD")
    assert 0.5 == rates(EURUSD=1.25, USDEUR=0.5).rate("USD", "EUR")


def test_without_a_pair_one_third_currency_joins_two():
    known = rates(EURUSD=1.25, USDJPY=160.0, GBPUSD=2.0)
    assert 200.0 == known.rate("EUR", "JPY")
    assert 1 / 160.0 * 0.8 == known.rate("JPY", "EUR")
    assert 0.625 == known.rate("EUR", "GBP")


def test_two_third_currencies_are_one_too_many():
    assert rates(EURUSD=1.25, USDJPY=160.0, JPYKRW=9.0).rate("EUR", "KRW") is None


def test_the_pair_goes_before_a_way_around_it():
    assert 150.0 == rates(EURJPY=150.0, EURUSD=1.25, USDJPY=160.0).rate("EUR", "JPY")


def test_a_pair_without_a_price_is_gone_around():
    assert 200.0 == rates(EURJPY=None, EURUSD=1.25, USDJPY=160.0).rate("EUR", "JPY")


def test_of_several_ways_the_first_by_name_that_is_known_is_taken():
    prices = {"EURUSD": 1.25, "USDJPY": 160.0, "EURGBP": 0.5, "GBPJPY": 300.0}
    assert 150.0 == Rates(prices.get, quoting(*prices)).rate("EUR", "JPY")
    prices["GBPJPY"] = None
    assert 200.0 == Rates(prices.get, quoting(*prices)).rate("EUR", "JPY")


def test_of_several_quotes_of_a_pair_the_first_by_symbol_that_has_a_price_is_taken():
    prices = {"EURUSD.b": 1.5, "EURUSD.a": None, "EURUSD.c": 1.75}
    assert 1.5 == Rates(prices.get, quoting(*prices)).rate("EUR", "USD")
    prices["EURUSD.a"] = 1.25
    assert 1.25 == Rates(prices.get, quoting(*prices)).rate("EUR", "USD")


@pytest.mark.parametrize("price", [None, nan, inf, -inf, 0.0, -1.25])
def test_what_is_no_rate_is_unknown_both_ways(price):
    assert rates(EURUSD=price).rate("EUR", "USD") is None
    assert rates(EURUSD=price).rate("USD", "EUR") is None
    assert rates(EURUSD=price, USDJPY=160.0).rate("EUR", "JPY") is None
    assert rates(EURUSD=1.25, USDJPY=price).rate("EUR", "JPY") is None


def test_a_rate_beyond_all_numbers_is_unknown():
    assert rates(EURUSD=5e-324).rate("USD", "EUR") is None
    assert rates(EURUSD=1e200, USDJPY=1e200).rate("EUR", "JPY") is None
    assert rates(EURUSD=1e-200, USDJPY=1e-200).rate("EUR", "JPY") is None


def test_prices_are_those_of_when_it_is_asked():
    prices = {"EURUSD": 1.25}
    known = Rates(prices.get, quoting("EURUSD"))
    assert 1.25 == known.rate("EUR", "USD")
    prices["EURUSD"] = 1.5
    assert 1.5 == known.rate("EUR", "USD")


def test_what_quotes_no_pair_is_no_rate():
    instruments = {
        "AAPL": Instrument(symbol="AAPL", currency="USD"),
        "BTC": Instrument(symbol="BTC", base="BTC"),
        "ONE": Instrument(symbol="ONE", base="USD", currency="USD"),
    }
    known = Rates({"AAPL": 200.0, "BTC": 9.0, "ONE": 2.0}.get, instruments)
    assert 1.0 == known.rate("USD", "USD")
    assert [None, None, None] == [known.rate(*pair) for pair in (("", "USD"), ("BTC", ""), ("BTC", "USD"))]


def test_an_amount_is_converted_and_nothing_needs_no_rate():
    assert 125.0 == rates(EURUSD=1.25).convert(100.0, "EUR", "USD")
    assert -80.0 == rates(EURUSD=1.25).convert(-100.0, "USD", "EUR")
    assert rates(EURUSD=None).convert(100.0, "EUR", "USD") is None
    assert 0.0 == rates().convert(0.0, "EUR", "USD")


PAIRS = ["EURUSD", "USDEUR", "USDJPY", "GBPUSD", "EURGBP", "JPYGBP", "EURUSD.x", "CHFJPY"]
PRICE = st.one_of(st.none(), st.just(nan), st.floats(1e-3, 1e3))
QUOTED = st.dictionaries(st.sampled_from(PAIRS), PRICE)
CURRENCY = st.sampled_from(["EUR", "USD", "JPY", "GBP", "CHF", "KRW"])


@given(QUOTED, CURRENCY, CURRENCY, st.randoms(use_true_random=False))
def test_a_rate_does_not_depend_on_the_order_of_the_instruments(prices, source, target, random):
    names = list(prices)
    random.shuffle(names)
    one, other = Rates(prices.get, quoting(*prices)), Rates(prices.get, quoting(*names))
    assert one.rate(source, target) == other.rate(source, target)


@given(QUOTED, CURRENCY, CURRENCY)
def test_a_rate_is_known_exactly_where_one_or_two_prices_lead_there(prices, source, target):
    known = {frozenset((p[:3], p[3:6])) for p, price in prices.items() if price is not None and price > 0}
    third = {"EUR", "USD", "JPY", "GBP", "CHF", "KRW"} - {source, target}
    expected = (
        source == target
        or frozenset((source, target)) in known
        or any({frozenset((source, one)), frozenset((one, target))} <= known for one in third)
    )
    assert expected == (Rates(prices.get, quoting(*prices)).rate(source, target) is not None)
