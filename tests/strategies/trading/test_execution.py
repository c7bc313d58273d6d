"""How much of an order an event fills, at what price and for what fee."""

import pytest
from msgspec.structs import replace

from bus.messages import TICK_VOLUME_UNKNOWN, Tick
from strategies.trading.execution import Offer, Setting, execute, working_limit
from strategies.trading.instruments import Instrument
from strategies.trading.matching import on_tick
from strategies.trading.terms import (
    FixedCommission,
    PercentageCommission,
    PercentageSlippage,
    SpreadSlippage,
    Terms,
    VolumeShare,
)
from tests.strategies.trading.market_world import FREE, PLAIN, hit, order, quote, trade

NAN = float("nan")


def test_what_a_contract_is_worth_is_its_price_times_its_multiplier():
    future = Instrument(symbol="X", multiplier=50.0)
    match = on_tick(order(-2.0), trade(10.0), Terms(commission=PercentageCommission(0.001)), future)
    assert (1_000.0, 1.0) == (match.order.value, match.fee)


@pytest.mark.parametrize(
    "made", [order(-1.0, reduce_only=True), order(expires_at=1), order(1.0, max_slippage_bps=1.0)]
)
def test_an_order_that_ends_without_a_trade_costs_nothing(made):
    match = on_tick(made, trade(100.0), Terms(commission=FixedCommission(5.0)), PLAIN, held=0.0)
    assert (0.0, 0.0, 0.0, made) == (match.quantity, match.price, match.fee, match.order)


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        (order(), None),
        (order(stop_price=1.0, triggered=True), None),
        (order(limit_price=2.0), 2.0),
        (order(stop_price=1.0, limit_price=2.0), None),
        (order(stop_price=1.0, limit_price=2.0, triggered=True), 2.0),
        (order(kind="stop", stop_price=1.0, limit_price=2.0, triggered=True), None),
    ],
)
def test_an_order_works_at_its_limit_once_it_is_a_limit_order(made, limit):
    assert limit == working_limit(made)


def test_an_offer_may_be_taken_without_a_tick():
    setting = Setting(Terms(volume_share=0.5), PLAIN)
    assert 5.0 == execute(order(8.0), Offer(price=3.0, at=7, size=10.0), setting).quantity


def test_an_entry_that_was_to_close_only_and_has_nothing_to_close_ends():
    made = order(-10.0, closes=10.0)
    match = execute(made, Offer(price=3.0, at=7), Setting(Terms(), PLAIN, held=0.0))
    assert (0.0, "cancelled", "nothing_to_reduce") == (match.quantity, match.done, match.why)
    assert -10.0 == execute(made, Offer(price=3.0, at=7), Setting(Terms(), PLAIN, held=10.0)).quantity


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


def test_the_last_part_fills_an_order_to_the_unit():
    """0.2 and what 0.9 then has left come to 0.8999999999999999."""
    match = on_tick(order(0.9, filled=0.2), trade(100.0), FREE, PLAIN)
    assert (0.9, "filled") == (match.order.filled, match.done)


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
    assert hit(order(3.0), trade(100.0, 30.0), terms, lots) == (3.0, 100.0, "filled")


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
        ({"reference_price": 100.0}, 100.50002, "max_slippage"),
        ({"reference_price": 100.0, "max_slippage_bps": 0.0}, 100.0, "filled"),
        ({"reference_price": 100.0}, 90.0, "filled"),  # better than seen is no slippage
        ({"reference_price": 100.0, "quantity": -0.5}, 99.5, "filled"),
        ({"reference_price": 100.0, "quantity": -0.5}, 99.49, "max_slippage"),
        ({"reference_price": 100.0, "quantity": 0.5}, 100.5, "filled"),
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
