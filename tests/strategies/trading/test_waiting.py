"""The band of prices within which no order of a symbol does anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Tick
from strategies.trading.matching import on_tick
from strategies.trading.waiting import Waiting
from tests.strategies.trading.market_world import FREE, PLAIN, order, quote, rested, trade


def waiting(*orders):
    made = Waiting()
    for each in orders:
        made.put(each)
    return made


@pytest.mark.parametrize(
    ("made", "asleep", "awake"),
    [
        (rested(0.5, 100.0), 100.1, 100.0),
        (rested(-0.5, 100.0), 99.9, 100.0),
        (order(0.5, stop_price=100.0), 99.9, 100.0),
        (order(-0.5, stop_price=100.0), 100.1, 100.0),
        (order(0.5, stop_price=100.0, limit_price=90.0), 99.9, 100.0),
        (order(0.5, stop_price=100.0, limit_price=90.0, time_in_force="ioc"), 99.9, 100.0),
        (rested(0.5, 90.0, stop_price=100.0, triggered=True), 90.1, 90.0),
    ],
)
def test_an_order_sleeps_up_to_its_price_and_wakes_at_it(made, asleep, awake):
    found = waiting(made)
    assert found.sleeps(trade(asleep))
    assert not found.sleeps(trade(awake))
    assert not found.sleeps(quote(asleep, awake))
    assert not found.sleeps(quote(awake, asleep))
    assert found.sleeps(quote(asleep, None))
    assert found.sleeps(quote(None, None))


@pytest.mark.parametrize(
    "made",
    [
        order(),
        order(stop_price=200.0, triggered=True),
        order(limit_price=50.0),
        rested(1.0, 50.0, time_in_force="ioc"),
        rested(1.0, 50.0, time_in_force="fok"),
        order(kind="stop"),
        order(kind="limit", resting=True),
    ],
)
def test_what_every_tick_concerns_never_sleeps(made):
    found = waiting(rested(1.0, 50.0, order_id="other"), made)
    assert not found.sleeps(trade(100.0))
    found.take("d", made.order_id)
    assert found.sleeps(trade(100.0))


def test_the_nearest_order_on_each_side_wakes_all():
    found = waiting(*(rested(1.0, price, order_id=str(price)) for price in (80.0, 95.0, 90.0)))
    found.put(rested(-1.0, 110.0, order_id="a"))
    found.put(order(1.0, stop_price=105.0, order_id="b"))
    found.put(rested(-1.0, 120.0, order_id="c"))
    assert [95.0, 105.0] == [price for price in (95.0, 95.1, 104.9, 105.0) if not found.sleeps(trade(price))]
    found.take("d", "95.0")
    found.put(order(1.0, stop_price=130.0, order_id="b"))
    assert [90.0, 110.0] == [price for price in (90.0, 90.1, 109.9, 110.0) if not found.sleeps(trade(price))]


def test_no_order_sleeps_past_its_end():
    found = waiting(rested(1.0, 50.0, expires_at=2_000), rested(1.0, 50.0, order_id="2", expires_at=1_500))
    found.put(rested(1.0, 50.0, order_id="3"))
    assert 1_500 == found.expires
    assert found.sleeps(trade(100.0, ts=1_499))
    assert not found.sleeps(trade(100.0, ts=1_500))
    found.take("d", "2")
    assert found.sleeps(trade(100.0, ts=1_999))
    assert 2_000 == found.expires
    found.take("d", "o1")
    assert 0 == found.expires
    assert found.sleeps(trade(100.0, ts=10**18))


def test_an_order_with_a_route_wakes_nobody_and_its_end_is_known_until_it_is_taken_back():
    live = order(route="live", expires_at=5)
    found = waiting(live, rested(1.0, 50.0, order_id="2", route="live"))
    assert found.sleeps(trade(1.0, ts=10))
    assert 5 == found.expires
    found.put(replace(live, cancelling=True))
    assert 0 == found.expires


def test_nothing_that_waits_is_asleep_and_over_at_no_time():
    assert Waiting().sleeps(trade(100.0))
    assert 0 == Waiting().expires


PRICE = st.integers(95, 105).map(float)
SLEEPY = st.one_of(
    st.builds(rested, st.sampled_from([1.0, -0.5]), PRICE),
    st.builds(lambda q, p: order(q, stop_price=p), st.sampled_from([1.0, -0.5]), PRICE),
    st.builds(
        lambda q, p, o: order(q, stop_price=p, limit_price=o), st.sampled_from([1.0, -0.5]), PRICE, PRICE
    ),
)
TICK = st.builds(
    Tick, st.just("X"), st.just(1_001), st.none() | PRICE, st.none(), st.none() | PRICE, st.none() | PRICE
)


@given(SLEEPY, PRICE)
def test_one_order_sleeps_exactly_when_a_trade_does_nothing_to_it(made, price):
    assert waiting(made).sleeps(trade(price)) is (on_tick(made, trade(price), FREE, PLAIN) is None)


@given(st.lists(SLEEPY, max_size=5), TICK)
def test_no_tick_that_does_something_is_slept_through(made, tick):
    found = waiting(*(replace(each, order_id=str(index)) for index, each in enumerate(made)))
    does = [each for each in made if on_tick(each, tick, FREE, PLAIN) is not None]
    assert not (does and found.sleeps(tick))
