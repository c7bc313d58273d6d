"""What a tick does to an order."""

import pytest
from msgspec.structs import replace

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, TICK_VOLUME_UNKNOWN, Tick
from strategies.trading.instruments import Instrument
from strategies.trading.matching import expired, on_tick
from strategies.trading.terms import (
    FixedSlippage,
    PercentageSlippage,
    PerShare,
    SpreadSlippage,
    Terms,
    VolumeShare,
)
from tests.strategies.trading.market_world import FREE, PLAIN, order

NAN = float("nan")


def trade(price, size=None, ts=1_001, **fields):
    return Tick("X", ts, last=price, size=size, **fields)


def quote(bid, ask, ts=1_001, **fields):
    return Tick("X", ts, bid=bid, ask=ask, **fields)


def hit(made, tick, terms=FREE, instrument=PLAIN, **fields):
    """Return (quantity, price, done or why) of what a tick does, None for nothing at all."""
    match = on_tick(made, tick, terms, instrument, **fields)
    return None if match is None else (match.quantity, match.price, match.why or match.done)


def rested(quantity, limit, **fields):
    return order(quantity, limit_price=limit, resting=True, **fields)


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
    ("expires_at", "now", "over"), [(0, 10**18, False), (5, 4, False), (5, 5, True), (5, 6, True)]
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


def test_a_fill_is_at_the_time_of_its_tick_with_its_fee_and_leaves_the_order_as_it_stands():
    match = on_tick(
        order(10.0), trade(4.0, 6.0, ts=1_234), Terms(commission=PerShare(0.5), volume_share=0.5), PLAIN
    )
    assert (1_234, 3.0, 1.5) == (match.at, match.quantity, match.fee)
    assert replace(order(10.0), filled=3.0, fees=1.5, value=12.0) == match.order


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
    match = on_tick(order(10.0, stop_price=100.0), trade(101.0, 0.0), terms, PLAIN)
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
        (-1.0, 99.5, 100.0),
        (-1.0, 100.0, 102.0),
        (-1.0, 101.0, 102.0),
    ],
)
def test_a_limit_away_from_the_price_that_was_seen_gets_no_better_one(quantity, seen, price):
    made = order(quantity, limit_price=100.0, reference_price=seen)
    assert hit(made, trade(100.0 - 2 * quantity)) == (quantity, price, "filled")


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


# ---- size -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tick", "quantity"),
    [
        (trade(100.0, 30.0), 3.0),
        (trade(100.0, 400.0), 25.0),
        (trade(100.0), 25.0),  # unknown: the whole order, which errs towards it
        (trade(100.0, 30.0, flags=TICK_VOLUME_UNKNOWN), 25.0),
        (trade(100.0, 0.0), None),
        (quote(99.0, 100.0, ask_size=50.0, bid_size=10.0), 5.0),
        (quote(99.0, 100.0, ask_size=0.0), 25.0),  # a price is for something: the size is not known
        (Tick("X", 1_001, last=99.5, size=1.0, bid=99.0, ask=100.0, ask_size=50.0), 5.0),
    ],
)
def test_an_order_gets_its_share_of_the_volume_and_the_rest_waits(tick, quantity):
    match = on_tick(order(25.0), tick, Terms(volume_share=0.1), PLAIN)
    assert quantity == (match and match.quantity)
    if match:
        assert (25.0 - quantity, "" if quantity < 25.0 else "filled") == (match.order.left, match.done)


def test_what_earlier_orders_had_of_the_event_is_gone():
    terms = Terms(volume_share=0.1)
    assert hit(order(25.0), trade(100.0, 100.0), terms, taken=7.0) == (3.0, 100.0, "")
    assert hit(order(25.0), trade(100.0, 100.0), terms, taken=10.0) is None
    assert hit(order(25.0), trade(100.0, 100.0), terms, taken=12.0) is None


def test_only_whole_lots_fill_but_for_the_last_of_an_order():
    lots = Instrument(symbol="X", lot_size=5.0)
    terms = Terms(volume_share=0.1)
    assert hit(order(25.0), trade(100.0, 149.0), terms, lots) == (10.0, 100.0, "")
    assert hit(order(25.0), trade(100.0, 49.0), terms, lots) is None
    assert hit(order(-25.0), trade(100.0, 149.0), terms, lots) == (-10.0, 100.0, "")
    assert hit(order(3.0), trade(100.0, 149.0), terms, lots) == (3.0, 100.0, "filled")


def test_the_smaller_of_two_volume_limits_binds():
    tick = trade(100.0, 100.0)
    model = VolumeShare(limit=0.2, impact=0.0)
    assert hit(order(99.0), tick, Terms(slippage=model))[0] == 20.0
    assert hit(order(99.0), tick, Terms(slippage=model, volume_share=0.1))[0] == 10.0
    assert hit(order(99.0), tick, Terms(slippage=model, volume_share=0.3))[0] == 20.0


def test_the_price_of_volume_counts_what_others_took_before():
    terms = Terms(slippage=VolumeShare(limit=0.5, impact=1.0))
    assert hit(order(10.0), trade(100.0, 100.0), terms) == (10.0, 101.0, "filled")
    assert hit(order(10.0), trade(100.0, 100.0), terms, taken=10.0) == (10.0, 104.0, "filled")


# ---- price ------------------------------------------------------------------------------------------
def test_a_slipped_price_is_on_the_grid_and_the_markets_own_is_left_alone():
    grid = Instrument(symbol="X", tick_size=0.5)
    assert hit(order(1.0), trade(100.2), FREE, grid) == (1.0, 100.2, "filled")
    assert hit(order(1.0), trade(100.0), Terms(slippage=PercentageSlippage(1)), grid) == (
        1.0,
        100.5,
        "filled",
    )
    assert hit(order(-1.0), trade(100.0), Terms(slippage=PercentageSlippage(1)), grid) == (
        -1.0,
        99.5,
        "filled",
    )


def test_the_spread_of_the_tick_counts_where_it_is_known():
    terms = Terms(slippage=SpreadSlippage(assumed_bps=100, share=1.0))
    assert hit(order(1.0), quote(98.0, 102.0), terms) == (1.0, 104.0, "filled")
    assert hit(order(-1.0), quote(98.0, 102.0), terms) == (-1.0, 96.0, "filled")
    assert hit(order(1.0), trade(100.0), terms) == (1.0, 101.0, "filled")
    assert hit(order(1.0), quote(None, 100.0), terms) == (1.0, 101.0, "filled")


@pytest.mark.parametrize(
    ("fields", "price", "outcome"),
    [
        ({"reference_price": 100.0}, 100.5, "filled"),
        ({"reference_price": 100.0}, 100.51, "max_slippage"),
        ({"reference_price": 100.0}, 90.0, "filled"),  # better than seen is no slippage
        ({"reference_price": 100.0, "quantity": -1.0}, 99.5, "filled"),
        ({"reference_price": 100.0, "quantity": -1.0}, 99.49, "max_slippage"),
        ({}, 100.0, "max_slippage"),  # against what, nobody knows: an entry is not made
        ({"reference_price": NAN}, 100.0, "max_slippage"),
        ({"reference_price": 100.0, "reduce_only": True}, 150.0, "filled"),
        ({"reference_price": 90.0, "stop_price": 100.0}, 100.5, "filled"),  # a stop is held to its stop
        ({"reference_price": 90.0, "stop_price": 100.0}, 100.51, "max_slippage"),
        ({"reference_price": 90.0, "limit_price": 100.0}, 100.0, "filled"),
    ],
)
def test_an_entry_that_would_pay_more_than_it_may_is_cancelled(fields, price, outcome):
    fields = {"quantity": 1.0, "max_slippage_bps": 50.0} | fields
    assert hit(order(**fields), trade(price))[2] == outcome


def test_slippage_itself_counts_against_what_an_entry_may_pay():
    made = order(1.0, max_slippage_bps=50.0, reference_price=100.0)
    assert hit(made, trade(100.0), Terms(slippage=PercentageSlippage(50)))[2] == "filled"
    assert hit(made, trade(100.0), Terms(slippage=PercentageSlippage(51)))[2] == "max_slippage"


# ---- time in force ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "tick", "outcome"),
    [
        ({"time_in_force": "ioc"}, trade(100.0, 40.0), (4.0, 100.0, "ioc")),
        ({"time_in_force": "ioc"}, trade(100.0, 400.0), (10.0, 100.0, "filled")),
        ({"time_in_force": "ioc"}, trade(100.0, 0.0), (0.0, 0.0, "ioc")),
        ({"time_in_force": "fok"}, trade(100.0, 40.0), (0.0, 0.0, "fok")),
        ({"time_in_force": "fok"}, trade(100.0, 100.0), (10.0, 100.0, "filled")),
        ({"time_in_force": "fok"}, trade(100.0), (10.0, 100.0, "filled")),
        ({"time_in_force": "gtc"}, trade(100.0, 40.0), (4.0, 100.0, "")),
        ({"time_in_force": "ioc", "limit_price": 99.0}, trade(100.0, 40.0), (0.0, 0.0, "ioc")),
        ({"time_in_force": "fok", "limit_price": 99.0}, trade(100.0, 400.0), (0.0, 0.0, "fok")),
        ({"time_in_force": "ioc", "limit_price": 100.0}, trade(100.0, 40.0), (4.0, 100.0, "ioc")),
        # The time of a stop order runs from its touch on.
        ({"time_in_force": "ioc", "stop_price": 101.0}, trade(100.0, 40.0), None),
        ({"time_in_force": "ioc", "stop_price": 100.0}, trade(100.0, 40.0), (4.0, 100.0, "ioc")),
        ({"time_in_force": "ioc", "stop_price": 99.0, "limit_price": 99.5}, trade(100.0), (0.0, 0.0, "ioc")),
        # A tick that does not tell the price is not its first event.
        ({"time_in_force": "ioc"}, quote(100.0, None), None),
    ],
)
def test_immediate_orders_take_what_their_first_event_gives_or_nothing(fields, tick, outcome):
    assert hit(order(10.0, **fields), tick, Terms(volume_share=0.1)) == outcome


# ---- reduce only --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("held", "outcome"),
    [
        (None, (-10.0, 100.0, "filled")),
        (10.0, (-10.0, 100.0, "filled")),
        (40.0, (-10.0, 100.0, "filled")),
        (4.0, (-4.0, 100.0, "nothing_to_reduce")),
        (0.0, (0.0, 0.0, "nothing_to_reduce")),
        (-5.0, (0.0, 0.0, "nothing_to_reduce")),
    ],
)
def test_an_order_that_only_reduces_is_cut_to_what_is_held(held, outcome):
    assert hit(order(-10.0, reduce_only=True), trade(100.0), held=held) == outcome


def test_one_that_only_reduces_and_is_short_of_volume_goes_on_for_the_rest():
    made = order(-10.0, reduce_only=True)
    assert hit(made, trade(100.0, 30.0), Terms(volume_share=0.1), held=4.0) == (-3.0, 100.0, "")
    assert hit(replace(made, time_in_force="fok"), trade(100.0, 40.0), Terms(volume_share=0.1), held=4.0) == (
        -4.0, 100.0, "nothing_to_reduce",
    )  # fmt: skip


def test_the_position_does_not_bind_what_may_open_one():
    assert hit(order(-10.0), trade(100.0), held=4.0) == (-10.0, 100.0, "filled")
