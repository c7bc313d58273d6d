"""Symbols, sessions and indicators as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bus.sessions import overnight
from strategies.indicators import INDICATORS, ValueIndicator
from strategies.trading.instruments import parse
from supervisor.life import State
from supervisor.listing import Used
from supervisor.market_data import MOST_DAYS, calendar, indicators, symbols

FX = overnight("FX", "America/New_York", "17:00", "17:00")


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9


def test_symbols_are_those_that_are_configured_and_those_that_are_read():
    known = parse('[EURUSD]\ntick_size = 0.0001\ncurrency = "USD"\n[ES]\nmultiplier = -1\n')
    used = [
        Used("a", "trend", "1", State.RUNNING, ["EURUSD", "XAUUSD"], ["1m"]),
        Used("b", "trend", "1", State.STOPPED, ["EURUSD"], ["1m"]),
    ]
    found = {one.symbol: one for one in symbols(known, used)}
    assert list(found) == ["ES", "EURUSD", "XAUUSD"]
    assert (found["EURUSD"].tick_size, found["EURUSD"].deployments) == (0.0001, ["a", "b"])
    assert (found["XAUUSD"].configured, found["XAUUSD"].tick_size) == (False, None)
    assert (found["ES"].configured, "multiplier" in found["ES"].problem) == (True, True)


def test_on_a_saturday_the_next_day_is_mondays_from_sunday_evening():
    view = calendar(FX, ns(2024, 6, 15, 12), 2)
    assert (view.in_session, view.next_open) == (False, ns(2024, 6, 16, 21))
    assert [day.day for day in view.days] == ["2024-06-17", "2024-06-18"]
    assert view.days[0].segments[0].opens == ns(2024, 6, 16, 21)


@given(st.integers(ns(2000, 1, 1), ns(2037, 1, 1)), st.integers(1, 2 * MOST_DAYS))
def test_days_follow_on_each_other_and_the_first_is_the_present_one(now, days):
    view = calendar(FX, now, days)
    assert len(view.days) == min(days, MOST_DAYS)
    bounds = [at for day in view.days for one in day.segments for at in (one.opens, one.closes)]
    assert bounds == sorted(bounds)
    assert bounds[1] > now
    assert view.in_session == (view.days[0].segments[0].opens <= now)


def test_every_indicator_can_be_made_with_what_is_said_of_it():
    for view in indicators():
        given_ = {one.name: 5 if one.default is None else one.default for one in view.arguments}
        made = INDICATORS[view.name](**given_)
        assert isinstance(made, ValueIndicator) == (view.takes == "close")
        assert view.description
