import pytest
from msgspec.structs import replace

from strategies.trading.broker import PaperBroker, Venue
from strategies.trading.instruments import Instrument
from strategies.trading.terms import FixedSlippage, Terms
from tests.strategies.trading.market_world import (
    BAR,
    HALF,
    broker,
    carry_out,
    holding,
    order,
    told,
    trade,
)


# ---- what waits -------------------------------------------------------------------------------------
def test_orders_of_one_symbol_fill_in_the_order_of_their_acceptance_and_others_wait():
    made = broker(order(order_id="1"), order(order_id="2", seq=2), order(order_id="3", symbol="Y", seq=3))
    assert [("1", 1.0, "filled"), ("2", 1.0, "filled")] == told(made.match(trade(5.0)))
    assert [] == made.match(trade(5.0, symbol="Z"))


def test_deployments_are_looked_at_by_their_oldest_order_whatever_was_placed_first():
    first = order(order_id="a", deployment_id="a", seq=1)
    orders = [
        first,
        order(order_id="b", deployment_id="b", seq=2),
        order(order_id="c", deployment_id="a", seq=3),
    ]
    lived = broker(*orders)
    lived.remove("a", "X", "a")
    restored = broker(*lived.everything())
    assert ["b", "c"] == [m.order.order_id for m in lived.match(trade(5.0))]
    assert lived.match(trade(5.0)) == restored.match(trade(5.0))
    assert lived.match_bar(BAR) == restored.match_bar(BAR)


def test_an_order_waits_until_it_is_removed():
    made = broker(order(oco_group="g"))
    assert made.waits("X")
    assert order(oco_group="g") == made.find("d", "X", "o1")
    made.remove("d", "X", "o1")
    assert not made.waits("X")
    assert made.find("d", "X", "o1") is None
    assert [] == made.everything() == made.waiting("d", "X")
    assert PaperBroker().__dict__ == made.__dict__


@pytest.mark.parametrize(
    ("deployment", "symbol", "order_id"), [("d", "X", "no"), ("no", "X", "o1"), ("d", "Y", "o1")]
)
def test_what_does_not_wait_is_neither_removed_nor_replaced(deployment, symbol, order_id):
    made = broker(order())
    with pytest.raises(KeyError):
        made.remove(deployment, symbol, order_id)
    with pytest.raises(KeyError):
        made.replace(order(deployment_id=deployment, symbol=symbol, order_id=order_id))
    assert [order()] == made.everything()
    assert made.find(deployment, symbol, order_id) is None
    assert [] == made.waiting("no", "X") == made.waiting("d", "Y")


def test_a_changed_order_keeps_its_place():
    made = broker(order(order_id="1"), order(order_id="2", seq=2))
    made.replace(order(order_id="1", triggered=True))
    assert [("1", True), ("2", False)] == [(o.order_id, o.triggered) for o in made.waiting("d", "X")]


def test_a_cancel_means_the_orders_of_its_leg_or_all():
    first, second = order(order_id="1", leg="a"), order(order_id="2", leg="b")
    made = broker(first, second)
    assert [second] == made.cancellable("d", "X", "b")
    assert [first, second] == made.cancellable("d", "X", "")


def test_the_symbols_of_a_deployment_are_those_in_which_its_orders_wait():
    made = broker(order(symbol="Y"), order(order_id="2"), order(symbol="Z", deployment_id="e"))
    assert ["X", "Y"] == made.symbols("d")
    assert [] == made.symbols("nobody")


def test_everything_is_listed_by_acceptance():
    made = broker(order(order_id="late", symbol="A", seq=9), order(order_id="early", symbol="B", seq=2))
    assert ["early", "late"] == [each.order_id for each in made.everything()]


def test_orders_whose_time_is_over_are_told_and_wait_until_they_are_removed():
    orders = [
        order(order_id="2", seq=2, expires_at=50), order(order_id="1", symbol="Y", expires_at=60),
        order(order_id="3", seq=3),
        order(order_id="4", seq=4, expires_at=50, route="live", cancelling=True),
        order(order_id="5", seq=5, expires_at=55, route="live"),
    ]  # fmt: skip
    made = broker(*orders)
    assert [] == made.expire(49)
    for _ in range(2):
        assert ["2"] == [each.order_id for each in made.expire(50)]
    assert ["1", "2", "5"] == [each.order_id for each in made.expire(60)]
    assert ["1"] == [each.order_id for each in made.expire(60, "Y")]
    assert [] == made.expire(60, "Z")
    made.remove("d", "X", "2")
    assert ["1", "5"] == [each.order_id for each in made.expire(10**18)]


# ---- what is to come of it ------------------------------------------------------------------------------
def test_pending_sums_what_is_left_of_buys_and_sells_apart_for_one_deployment_only():
    orders = [order(q, order_id=str(i)) for i, q in enumerate([0.5, 2.5, -3.5, -0.5])]
    partly = order(10.0, order_id="partly", filled=7.0)
    made = broker(*orders, partly, order(50.0, deployment_id="other"))
    assert (6.0, -4.0, 5) == made.pending("d", "X")
    assert (0.0, 0.0, 0) == made.pending("d", "Y")


def test_of_a_group_only_the_largest_on_each_side_is_pending():
    group = [order(q, order_id=str(i), oco_group="g") for i, q in enumerate([0.5, 5.0, -0.25, -7.0, 4.0])]
    other = order(0.25, order_id="h", oco_group="h")
    assert (7.25, -7.0, 7) == broker(*group, other, order(2.0, order_id="x")).pending("d", "X")


def test_due_is_what_the_next_event_fills():
    made = broker(
        order(5.0, order_id="1"), order(-2.0, order_id="2", filled=-1.0),
        order(9.0, order_id="3", stop_price=1.0),
        order(20.0, order_id="4", stop_price=1.0, triggered=True), order(70.0, order_id="5", limit_price=1.0),
    )  # fmt: skip
    assert (24.0, 0.0) == (made.due("d", "X"), made.due("d", "Y"))


# ---- ticks ----------------------------------------------------------------------------------------------
def test_a_tick_that_was_seen_before_fills_what_was_accepted_before_it_only():
    made = broker(order(order_id="old", after=6), order(order_id="new", seq=2, after=7))
    assert ["old"] == [m.order.order_id for m in made.match(trade(5.0), 7)]
    assert ["old", "new"] == [m.order.order_id for m in made.match(trade(5.0), 8)]
    assert [("old", 6), ("new", 7)] == [(m.order.order_id, m.order.after) for m in made.match(trade(5.0))]


def test_an_order_that_has_had_a_tick_hides_no_other_from_it():
    made = broker(
        order(order_id="had", after=8), order(order_id="live", seq=2, route="r"), order(seq=3, after=3)
    )
    assert ["o1"] == [m.order.order_id for m in made.match(trade(5.0), 7)]
    assert [("had", 8), ("o1", 3)] == [(m.order.order_id, m.order.after) for m in made.match_bar(BAR)]


def test_what_a_numbered_tick_has_changed_has_had_it_and_no_tick_does_anything_twice():
    made = broker(
        order(30.0, order_id="1"), order(30.0, order_id="2", seq=2), order(3.0, order_id="3", seq=3),
        order(1.0, order_id="4", seq=4, stop_price=10.0), order(1.0, order_id="5", seq=5, limit_price=1.0),
        order(1.0, order_id="6", seq=6, stop_price=5.0),
    )  # fmt: skip
    tick = trade(5.0, 80.0)
    matches = made.match(tick, 7, HALF)
    # The second takes what is left; the third and the sixth would have traded, and others had the volume.
    expected = [("1", 30.0, 7), ("2", 10.0, 7), ("3", 0.0, 7), ("5", 0.0, 7), ("6", 0.0, 7)]
    assert expected == [(m.order.order_id, m.quantity, m.order.after) for m in matches]
    assert ["filled", "", "", "", ""] == [done for _, _, done in told(matches)]
    carry_out(made, matches)
    assert [] == made.match(tick, 7, HALF)
    assert [] == made.match(trade(11.0), 6, HALF)[:-1]  # only the stop that nothing has touched yet
    assert ["2", "3", "4", "6"] == [m.order.order_id for m in made.match(trade(11.0), 8, HALF)]


def test_what_a_tick_cuts_in_another_symbol_has_not_had_it():
    made = broker(
        order(10.0, order_id="x", oco_group="g"),
        order(10.0, symbol="Y", order_id="y", oco_group="g", seq=2, after=3),
    )
    matches = made.match(trade(5.0, 8.0), 7, HALF)
    assert [("x", 7), ("y", 3)] == [(m.order.order_id, m.order.after) for m in matches]


def test_orders_with_a_route_are_pending_and_no_event_of_ours_fills_them():
    made = broker(order(route="live"))
    assert made.waits("X")
    assert (1.0, 0.0, 1) == made.pending("d", "X")
    assert [] == made.match(trade(5.0)) == made.match_bar(BAR)


def test_orders_of_one_deployment_share_the_volume_of_an_event_and_each_deployment_is_alone():
    made = broker(
        order(30.0, order_id="1"),
        order(-30.0, order_id="2", seq=2),
        order(30.0, deployment_id="e", order_id="3", seq=3),
    )
    matches = made.match(trade(5.0, 100.0), venue=HALF)
    assert [("1", 30.0, "filled"), ("2", -20.0, ""), ("3", 30.0, "filled")] == told(matches)
    matches = made.match_bar(replace(BAR, volume=100.0), HALF)
    assert [("1", 30.0, "filled"), ("2", -20.0, ""), ("3", 30.0, "filled")] == told(matches)


@pytest.mark.parametrize("event", ["tick", "bar"])
def test_what_only_reduces_sees_the_position_that_the_orders_before_it_left(event):
    made = broker(*(order(-6.0, order_id=str(i), reduce_only=True, seq=i) for i in (1, 2, 3)))
    matches = (
        made.match(trade(5.0), venue=holding(10.0)) if event == "tick" else made.match_bar(BAR, holding(10.0))
    )
    expected = [("1", -6.0, "filled"), ("2", -4.0, "nothing_to_reduce"), ("3", 0.0, "nothing_to_reduce")]
    assert expected == told(matches)


def test_each_order_has_its_terms_and_its_instrument():
    venue = Venue(
        terms=lambda o: Terms(slippage=FixedSlippage(1.0 if o.account_id == "A" else 2.0)),
        instrument=lambda s: Instrument(symbol=s, tick_size=5.0 if s == "X" else None),
    )
    made = broker(
        order(order_id="1"), order(order_id="2", account_id="B", seq=2), order(symbol="Y", order_id="3")
    )
    assert [105.0, 105.0] == [m.price for m in made.match(trade(100.0), venue=venue)]
    assert [101.0] == [m.price for m in made.match(trade(100.0, symbol="Y"), venue=venue)]
    assert [105.0, 105.0] == [m.price for m in made.match_bar(BAR, venue)]
    assert [101.0] == [m.price for m in made.match_bar(replace(BAR, symbol="Y"), venue)]
    assert Instrument(symbol="X") == Venue().instrument("X")


def test_the_position_that_counts_is_that_of_the_deployment_in_the_symbol():
    held = {("d", "X"): 3.0, ("d", "Y"): 5.0, ("e", "X"): 7.0}
    venue = Venue(held=lambda deployment, symbol: held[deployment, symbol])
    made = broker(
        order(-9.0, order_id="1", reduce_only=True), order(-9.0, order_id="2", symbol="Y", reduce_only=True),
        order(-9.0, order_id="3", seq=2, deployment_id="e", reduce_only=True),
    )  # fmt: skip
    assert [-3.0, -7.0] == [m.quantity for m in made.match(trade(5.0), venue=venue)]
    assert [-5.0] == [m.quantity for m in made.match(trade(5.0, symbol="Y"), venue=venue)]
