"""What a tick does to an order."""

import pytest
from msgspec.structs import replace

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Tick
from strategies.trading.matching import expired, on_tick
from strategies.trading.terms import (
    FixedSlippage,
    PerShare,
    Terms,
)
from tests.strategies.trading.market_world import FREE, PLAIN, hit, order, quote, rested, sound, trade

NAN = float("nan")


# ---- when -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tick", "terms", "fills"),
    [
        (trade(100.0, ts=1_000), FREE, True),  # the next bar may open where the signal's closed
        (trade(100.0, ts=999), FREE, False),
        (trade(100.0, ts=1_049), Terms(latency=50), False),
        (trade(100.0, ts=1_050), Terms(latency=50), True),
        (trade(100.0, flags=TICK_OUT_OF_SESSION), FREE, False),
        (trade(100.0, flags=TICK_LATE), FREE, True),
        (trade(100.0, ts=4_999), FREE, True),
    ],
)
def test_no_tick_fills_before_the_latency_is_over_or_out_of_session(tick, terms, fills):
    assert hit(order(expires_at=5_000), tick, terms) == ((1.0, 100.0, "filled") if fills else None)


@pytest.mark.parametrize("tick", [trade(100.0, ts=5_000), trade(100.0, ts=9_000, flags=TICK_OUT_OF_SESSION)])
def test_an_order_whose_time_is_over_ends_by_the_tick_that_shows_it(tick):
    assert hit(order(expires_at=5_000), tick) == (0.0, 0.0, "expired")


@pytest.mark.parametrize(
    ("expires_at", "now", "over"),
    [(0, 10**18, False), (1, 1, True), (5, 4, False), (5, 5, True), (5, 6, True)],
)
def test_an_order_expires_at_its_time_and_never_without_one(expires_at, now, over):
    assert expired(order(expires_at=expires_at), now) is over


# ---- market -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quantity", "tick", "price"),
    [
        (1.0, Tick("X", 1001, last=100.0, bid=99.0, ask=101.0), 101.0),
        (-1.0, Tick("X", 1001, last=100.0, bid=99.0, ask=101.0), 99.0),
        (1.0, quote(101.0, 99.0), 101.0),  # crossed: nobody earns the spread
        (-1.0, quote(101.0, 99.0), 99.0),
        (1.0, trade(100.0), 100.0),
        (-1.0, trade(100.0), 100.0),
        (1.0, Tick("X", 1001, last=100.0, bid=99.0), 100.0),
        (1.0, quote(99.0, None), None),  # a bid says nothing of what a buyer pays
        (-1.0, quote(None, 101.0), None),
    ],
)
def test_a_market_order_pays_the_side_of_its_tick(quantity, tick, price):
    assert hit(order(quantity), tick) == (None if price is None else (quantity, price, "filled"))


def test_a_crossed_quote_gives_the_size_of_the_side_that_is_paid():
    tick = quote(101.0, 99.0, bid_size=10.0, ask_size=40.0)
    half = Terms(volume_share=0.5)
    assert hit(order(100.0), tick, half) == (5.0, 101.0, "")
    assert hit(order(-100.0), tick, half) == (-20.0, 99.0, "")


def test_a_locked_quote_gives_each_side_its_own_size():
    tick, half = quote(100.0, 100.0, bid_size=10.0, ask_size=40.0), Terms(volume_share=0.5)
    assert hit(order(100.0), tick, half) == (20.0, 100.0, "")
    assert hit(order(-100.0), tick, half) == (-5.0, 100.0, "")


def test_a_fill_is_at_the_time_of_its_tick_with_its_fee_and_leaves_the_order_as_it_stands():
    match = on_tick(
        order(10.0), trade(4.0, 6.0, ts=1_234), Terms(commission=PerShare(0.5), volume_share=0.5), PLAIN
    )
    assert (1_234, 3.0, 1.5) == (match.at, match.quantity, match.fee)
    assert replace(order(10.0), filled=3.0, fees=1.5, value=12.0) == match.order


@pytest.mark.parametrize("quantity", [0.25, -0.25])
def test_a_part_of_one_has_its_side_too(quantity):
    slips = Terms(slippage=FixedSlippage(1.0))
    side = 4 * quantity
    assert hit(order(quantity), trade(100.0), slips) == (quantity, 100.0 + side, "filled")
    assert hit(order(quantity), quote(99.0, 101.0)) == (quantity, 100.0 + side, "filled")
    assert hit(order(quantity, stop_price=100.0), trade(100.0 + side)) == (quantity, 100.0 + side, "filled")
    assert hit(order(quantity, stop_price=100.0), trade(100.0 - side)) is None
    assert hit(rested(quantity, 100.0), trade(100.0 - side)) == (quantity, 100.0, "filled")
    assert hit(rested(quantity, 100.0), trade(100.0 + side)) is None


# ---- stop -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quantity", "tick", "price"),
    [
        (1.0, trade(99.9), None),
        (1.0, trade(100.0), 100.0),
        (1.0, trade(103.0), 103.0),  # jumped over: where the market stands, not the stop
        (-1.0, trade(100.1), None),
        (-1.0, trade(100.0), 100.0),
        (-1.0, trade(97.0), 97.0),
        (1.0, quote(99.0, 100.0), 100.0),  # a buy is touched by the ask, a sell by the bid
        (1.0, quote(99.8, 99.9), None),
        (-1.0, quote(100.0, 101.0), 100.0),
        (-1.0, quote(100.1, 101.0), None),
    ],
)
def test_a_stop_is_touched_by_the_price_at_which_it_would_trade_and_fills_there(quantity, tick, price):
    made = order(quantity, stop_price=100.0)
    assert hit(made, tick) == (None if price is None else (quantity, price, "filled"))


def test_a_stop_that_was_touched_and_found_no_volume_is_a_market_order_from_then_on():
    terms = Terms(volume_share=0.5)
    made = order(10.0, stop_price=100.0)
    match = sound(made, on_tick(made, trade(101.0, 0.0), terms, PLAIN))
    assert (0.0, "", True) == (match.quantity, match.done, match.order.triggered)
    assert hit(match.order, trade(90.0, 100.0), terms) == (10.0, 90.0, "filled")


# ---- limit ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("quantity", "tick", "price"),
    [
        (1.0, trade(100.1), None),
        (1.0, trade(100.0), 100.0),
        (1.0, trade(98.0), 98.0),  # on arrival it takes what is better
        (-1.0, trade(99.9), None),
        (-1.0, trade(100.0), 100.0),
        (-1.0, trade(102.0), 102.0),
    ],
)
def test_a_limit_order_takes_what_is_better_when_it_arrives(quantity, tick, price):
    expected = (0.0, 0.0, "") if price is None else (quantity, price, "filled")
    assert hit(order(quantity, limit_price=100.0), tick) == expected


@pytest.mark.parametrize(("quantity", "beyond"), [(1.0, 98.0), (-1.0, 102.0)])
def test_a_limit_order_that_was_not_reached_rests_and_then_fills_at_its_limit(quantity, beyond):
    first = on_tick(order(quantity, limit_price=100.0), trade(100.0 + quantity), FREE, PLAIN)
    assert first.order.resting
    assert hit(first.order, trade(100.0 + quantity)) is None
    assert hit(first.order, trade(beyond)) == (quantity, 100.0, "filled")


@pytest.mark.parametrize(
    ("quantity", "seen", "price"),
    [
        (1.0, 100.5, 100.0),  # a buy below what was seen waits in the book from the start
        (1.0, 100.0, 98.0),
        (1.0, 99.0, 98.0),
        (1.0, None, 98.0),
        (1.0, NAN, 98.0),
        (-0.5, 99.5, 100.0),
        (-0.5, 100.0, 101.0),
        (0.5, 100.5, 100.0),
        (0.5, 100.0, 99.0),
        (-0.5, 101.0, 101.0),
    ],
)
def test_a_limit_away_from_the_price_that_was_seen_gets_no_better_one(quantity, seen, price):
    made = order(quantity, limit_price=100.0, reference_price=seen)
    assert hit(made, trade(100.0 - 2 * quantity)) == (quantity, price, "filled")


def test_what_has_been_seen_rests_whatever_its_strategy_saw_and_a_touched_stop_limit_arrives():
    assert hit(rested(1.0, 100.0, reference_price=99.0), trade(98.0)) == (1.0, 100.0, "filled")
    touched = order(1.0, stop_price=100.0, limit_price=102.0, reference_price=105.0)
    assert hit(touched, trade(101.5)) == (1.0, 101.5, "filled")


@pytest.mark.parametrize(
    ("tick", "through", "fills"),
    [
        (trade(100.0), False, True),
        (trade(100.0), True, False),
        (trade(99.99), True, True),
        (quote(99.0, 100.0), True, True),  # who offers at the limit has taken all who stood before
        (Tick("X", 1_001, last=100.0, bid=99.0, ask=101.0), False, False),  # the ask tells what a buyer pays
    ],
)
def test_trade_through_asks_for_a_trade_beyond_the_limit_or_an_offer_at_it(tick, through, fills):
    assert (hit(rested(1.0, 100.0), tick, Terms(trade_through=through)) is not None) is fills


def test_what_rests_slips_never_and_what_takes_slips_to_its_limit_at_most():
    terms = Terms(slippage=FixedSlippage(3.0))
    assert hit(rested(1.0, 100.0), trade(98.0), terms) == (1.0, 100.0, "filled")
    assert hit(order(1.0, limit_price=100.0), trade(95.0), terms) == (1.0, 98.0, "filled")
    assert hit(order(1.0, limit_price=100.0), trade(98.0), terms) == (1.0, 100.0, "filled")
    assert hit(order(-1.0, limit_price=100.0), trade(102.0), terms) == (-1.0, 100.0, "filled")


def test_what_is_left_of_a_limit_order_rests():
    match = on_tick(order(10.0, limit_price=100.0), trade(99.0, 8.0), Terms(volume_share=0.5), PLAIN)
    assert (4.0, 99.0, True) == (match.quantity, match.price, match.order.resting)
    assert hit(match.order, trade(98.0, 100.0)) == (6.0, 100.0, "filled")


# ---- stop-limit -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("price", "outcome"),
    [
        (99.0, None),
        (100.0, (1.0, 100.0, "filled")),
        (101.5, (1.0, 101.5, "filled")),
        (103.0, (0.0, 0.0, "")),  # jumped over stop and limit: it rests at its limit
    ],
)
def test_a_stop_limit_order_is_a_limit_order_from_the_touch_on(price, outcome):
    assert hit(order(1.0, stop_price=100.0, limit_price=102.0), trade(price)) == outcome


def test_a_stop_limit_order_that_was_jumped_over_fills_at_its_limit_when_the_market_comes_back():
    after = on_tick(order(1.0, stop_price=100.0, limit_price=102.0), trade(103.0), FREE, PLAIN).order
    assert (True, True) == (after.triggered, after.resting)
    assert hit(after, trade(99.0)) == (1.0, 102.0, "filled")


# ---- what is missing or no number never fills -----------------------------------------------------------
@pytest.mark.parametrize(
    "made",
    [
        order(1.0, stop_price=NAN),
        order(1.0, kind="stop"),
        rested(1.0, NAN),
        order(1.0, kind="limit", resting=True),
        order(1.0, stop_price=NAN, limit_price=100.0),
    ],
)
@pytest.mark.parametrize("price", [1.0, 100.0, 1e9])
def test_a_price_that_is_missing_or_no_number_is_never_reached(made, price):
    assert hit(made, trade(price)) is None
