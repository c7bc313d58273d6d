"""Orders that have to do with each other: groups, brackets inside a bar, and the plain rule as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Tick
from strategies.trading.broker import Venue
from strategies.trading.execution import Match
from strategies.trading.instruments import Instrument
from strategies.trading.matching import on_tick
from strategies.trading.orders import combine
from strategies.trading.terms import Terms
from tests.strategies.trading.market_world import (
    BAR,
    HALF,
    PLAIN,
    broker,
    carry_out,
    holding,
    order,
    told,
    trade,
)


# ---- one cancels the other ------------------------------------------------------------------------------
def bracket(quantity=-10.0, **fields):
    stop = order(quantity, order_id="stop", stop_price=90.0, oco_group="g", reduce_only=True, seq=1)
    target = order(quantity, order_id="target", limit_price=110.0, oco_group="g", reduce_only=True, seq=2)
    return replace(stop, **fields), replace(target, **fields)


def test_when_one_order_of_a_group_has_filled_the_others_are_cancelled():
    made = broker(*bracket(), order(order_id="not of it", limit_price=1.0, seq=3))
    matches = made.match(trade(89.0))
    assert [("stop", -10.0, "filled"), ("target", 0.0, "oco"), ("not of it", 0.0, "")] == told(matches)
    assert ["filled", "cancelled", ""] == [m.done for m in matches]
    carry_out(made, matches)
    assert ["not of it"] == [o.order_id for o in made.everything()]


def test_when_it_has_filled_in_part_the_others_are_cut_in_proportion():
    made = broker(*bracket(), order(-20.0, order_id="twice", limit_price=120.0, oco_group="g", seq=3))
    matches = made.match(trade(110.0, 6.0), venue=HALF)
    assert [("target", -3.0, ""), ("stop", 0.0, "oco"), ("twice", 0.0, "oco")] == told(matches)[:3]
    carry_out(made, matches)
    left = {o.order_id: o.left for o in made.everything()}
    assert {"stop": -7.0, "target": -7.0, "twice": pytest.approx(-14.0)} == left
    matches = made.match(trade(110.0, 8.0), venue=HALF)
    carry_out(made, matches)
    assert {"stop": -3.0, "target": -3.0, "twice": pytest.approx(-6.0)} == {
        o.order_id: o.left for o in made.everything()
    }


def test_an_order_that_was_cut_is_still_looked_at_by_the_same_event():
    rests = order(10.0, order_id="rests", limit_price=1.0, oco_group="g", seq=2)
    made = broker(order(10.0, order_id="market", oco_group="g"), rests)
    matches = made.match(trade(5.0, 8.0), venue=HALF)
    assert [("market", 4.0, ""), ("rests", 0.0, "oco"), ("rests", 0.0, "")] == told(matches)
    carry_out(made, matches)
    assert replace(rests, quantity=6.0, resting=True) == made.find("d", "X", "rests")


def test_a_cut_is_in_whole_lots_upwards_for_what_only_reduces_and_downwards_else():
    lots = holding(None, Terms(volume_share=0.5), Instrument(symbol="X", lot_size=4.0))
    entry = order(-10.0, order_id="entry", limit_price=120.0, oco_group="g", seq=3)
    small = order(-3.0, order_id="small", limit_price=120.0, oco_group="g", seq=4)
    made = broker(*bracket(), entry, small)
    carry_out(made, made.match(trade(110.0, 8.0), venue=replace(lots, held=None)))
    left = {o.order_id: o.left for o in made.everything()}
    assert {"target": -6.0, "stop": -8.0, "entry": -4.0} == left  # 60 % of 10 each, and of 3: no lot


def test_only_one_order_of_a_group_fills_whatever_one_event_reaches():
    up = order(5.0, order_id="up", stop_price=104.0, oco_group="g", seq=1)
    down = order(-5.0, order_id="down", stop_price=96.0, oco_group="g", seq=2)
    assert [("down", -5.0, "filled"), ("up", 0.0, "oco")] == told(broker(up, down).match_bar(BAR))
    both = broker(order(order_id="1", oco_group="g"), order(order_id="2", oco_group="g", seq=2))
    assert [("1", 1.0, "filled"), ("2", 0.0, "oco")] == told(both.match(trade(5.0)))


def test_a_group_spans_symbols_and_belongs_to_one_deployment():
    orders = [
        order(order_id="x", oco_group="g"),
        order(order_id="y", symbol="Y", limit_price=1.0, oco_group="g", seq=2),
        order(order_id="z", deployment_id="e", limit_price=1.0, oco_group="g", seq=3),
    ]  # fmt: skip
    made = broker(*orders)
    matches = made.match(trade(5.0))
    assert [("x", 1.0, "filled"), ("y", 0.0, "oco"), ("z", 0.0, "")] == told(matches)


def test_a_group_is_over_once_the_position_is():
    made = broker(*bracket())
    assert [("stop", -4.0, "nothing_to_reduce"), ("target", 0.0, "oco")] == told(
        made.match(trade(89.0), venue=holding(4.0))
    )


def test_an_order_that_ends_without_a_trade_leaves_the_others_of_its_group():
    stop, target = bracket()
    made = broker(stop, replace(target, expires_at=1_001))
    assert [("target", 0.0, "expired")] == told(made.match(trade(100.0)))


def test_a_fill_of_a_route_does_the_same_to_its_group():
    stop, target = bracket(route="live")
    made = broker(stop, target)
    part = Match(order=replace(stop, filled=-4.0), at=5, quantity=-4.0, price=89.0)
    (cut,) = made.linked(part)
    assert ("target", -6.0, "", "oco", 5) == (cut.order.order_id, cut.order.left, cut.done, cut.why, cut.at)
    whole = Match(order=replace(stop, filled=-10.0), at=5, quantity=-10.0, price=89.0, done="filled")
    assert [("target", 0.0, "oco")] == told(made.linked(whole))
    assert [] == made.linked(Match(order=stop, at=5))
    # A cut that would come to more whole lots than there are left is none.
    lots = Venue(instrument=lambda symbol: Instrument(symbol=symbol, lot_size=4.0 if symbol == "X" else None))
    little = Match(order=replace(stop, filled=-1.0), at=5, quantity=-1.0, price=89.0)
    assert [] == made.linked(little, lots)
    (cut,) = made.linked(part, lots)
    assert -8.0 == cut.order.left


# ---- bars -----------------------------------------------------------------------------------------------
ENTRY = order(10.0, order_id="entry", limit_price=98.0, seq=1)


def test_a_position_opened_inside_a_bar_is_stopped_by_it_and_reaches_no_target_in_it():
    stop, target = bracket()
    made = broker(replace(target, limit_price=104.0), replace(stop, stop_price=96.0), replace(ENTRY, seq=9))
    matches = made.match_bar(BAR, holding(0.0))
    assert [("entry", 10.0, "filled"), ("stop", -10.0, "filled"), ("target", 0.0, "oco")] == told(matches)


def test_the_close_proves_a_target_that_the_entry_of_the_same_bar_could_reach():
    target = replace(bracket()[1], limit_price=101.0, oco_group="")
    matches = broker(ENTRY, target).match_bar(replace(BAR, high=101.5, close=101.2), holding(0.0))
    assert [("entry", 10.0, "filled"), ("target", -10.0, "filled")] == told(matches)
    assert 101.0 == matches[1].price
    matches = broker(ENTRY, target).match_bar(replace(BAR, close=100.9), holding(0.0))
    assert [("entry", 10.0, "filled"), ("target", 0.0, "")] == told(matches)


def test_a_small_position_opened_inside_a_bar_reaches_no_target_in_it_either():
    target = replace(bracket(-0.5)[1], limit_price=104.0, oco_group="")
    matches = broker(replace(ENTRY, quantity=0.5), target).match_bar(BAR, holding(0.0))
    assert [("entry", 0.5, "filled"), ("target", 0.0, "")] == told(matches)


def test_a_position_opened_at_the_open_reaches_its_target_in_the_bar():
    target = replace(bracket()[1], limit_price=104.0, oco_group="")
    matches = broker(replace(ENTRY, limit_price=101.0), target).match_bar(BAR, holding(0.0))
    assert [("entry", 10.0, "filled"), ("target", -10.0, "filled")] == told(matches)


# ---- the band in which no order does anything ------------------------------------------------------------
PRICE = st.integers(90, 110).map(float)
FIELDS = st.fixed_dictionaries(
    {"quantity": st.sampled_from([3.0, -3.0])},
    optional={
        "stop_price": PRICE,
        "limit_price": PRICE,
        "time_in_force": st.sampled_from(["day", "ioc", "fok"]),
        "expires_at": st.sampled_from([0, 1_005, 1_010]),
        "reduce_only": st.booleans(),
        "oco_group": st.sampled_from(["", "g", "h"]),
        "deployment_id": st.sampled_from(["d", "e"]),
        "data_as_of": st.sampled_from([0, 1_004]),
        "route": st.sampled_from(["", "", "live"]),
    },
)
TICK = st.builds(
    Tick,
    symbol=st.just("X"),
    ts=st.integers(1_000, 1_012),
    last=st.none() | PRICE,
    size=st.sampled_from([None, 0.0, 2.0, 9.0]),
    bid=st.none() | PRICE,
    ask=st.none() | PRICE,
    ask_size=st.sampled_from([None, 4.0]),
)


@given(st.lists(FIELDS, max_size=8), st.lists(TICK, max_size=8), st.booleans(), st.floats(-5, 5))
def test_the_broker_does_to_each_order_what_the_tick_does_to_it(made, ticks, share, held):
    """Against the plain rule, asked of each order: no tick is slept through, none does anything twice."""
    orders = [order(order_id=str(i), seq=i, **fields) for i, fields in enumerate(made)]
    terms = Terms(volume_share=0.5 if share else None)
    paper = broker(*orders)
    held = {"d": held, "e": held}
    venue = Venue(terms=lambda _: terms, held=lambda deployment, _: held[deployment])
    for tick in ticks:
        matches = paper.match(tick, venue=venue)
        taken = {"d": 0.0, "e": 0.0}
        left = {m.order.order_id: m for m in matches}
        now = dict(held)
        for each in sorted(paper.everything(), key=lambda o: o.seq):
            if each.oco_group or each.route:
                assert not each.route or each.order_id not in left or left[each.order_id].why == "oco"
                continue
            # Groups change volume and position in between: there only what is left is compared below.
            if any(o.oco_group for o in paper.everything() if o.deployment_id == each.deployment_id):
                continue
            whose = each.deployment_id
            alone = on_tick(each, tick, terms, PLAIN, taken=taken[whose], held=now[whose])
            assert alone == left.get(each.order_id)
            if alone:
                taken[whose] += abs(alone.quantity)
                now[whose] = combine(now[whose], alone.quantity)
        for match in matches:
            held[match.order.deployment_id] = combine(held[match.order.deployment_id], match.quantity)
        carry_out(paper, matches)
        # What is left over does nothing when the same tick is asked again, but what volume holds back.
        again = paper.match(tick, venue=venue)
        assert share or not [m for m in again if not m.quantity and not m.why]
        assert all(abs(o.filled) <= abs(o.quantity) for o in paper.everything())


@given(st.lists(FIELDS, min_size=1, max_size=6), st.lists(TICK, max_size=8))
def test_what_orders_of_a_group_fill_is_never_more_than_the_largest_of_them(made, ticks):
    orders = [
        order(order_id=str(i), seq=i, **fields | {"oco_group": "g", "deployment_id": "d"})
        for i, fields in enumerate(made)
    ]
    paper = broker(*orders)
    venue = Venue(terms=lambda _: Terms(volume_share=0.5))
    filled = 0.0
    for tick in ticks:
        matches = paper.match(tick, venue=venue)
        filled += sum(abs(m.quantity) for m in matches)
        carry_out(paper, matches)
    assert filled <= max(abs(o.quantity) for o in orders) * (1 + 1e-9)


@given(st.lists(FIELDS, max_size=8), st.lists(TICK, max_size=6), st.booleans())
def test_what_befalls_one_deployment_depends_on_no_other_and_not_on_who_was_placed_first(
    made, ticks, others_first
):
    orders = [order(order_id=str(i), seq=i, **fields) for i, fields in enumerate(made)]
    mine = [each for each in orders if each.deployment_id == "d"]
    others = [each for each in orders if each.deployment_id != "d"]
    alone, together = broker(*mine), broker(*(others + mine if others_first else orders))
    assert len(others) + len(mine) == len(together.everything())
    for tick in ticks:
        expected, found = alone.match(tick, venue=HALF), together.match(tick, venue=HALF)
        assert expected == [match for match in found if match.order.deployment_id == "d"]
        carry_out(alone, expected)
        carry_out(together, found)
