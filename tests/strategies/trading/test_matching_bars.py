"""What a closed bar does to an order, in either convention."""

import pytest
from msgspec.structs import replace

from strategies.trading.matching import on_bar, sequence
from strategies.trading.terms import FixedSlippage, Terms
from tests.strategies.trading.market_world import FREE, PLAIN, candle, order, sound

CLOSE = Terms(bars="close")
BAR = candle(100.0, 105.0, 95.0, 102.0)


def hit(made, bar=BAR, terms=FREE, **fields):
    """Return (quantity, price, done or why, when) of what a bar does, None for nothing at all."""
    match = sound(made, on_bar(made, bar, terms, PLAIN, **fields))
    if match is None:
        return None
    when = {bar.open_time: "open", bar.close_time: "close"}.get(match.at, match.at)
    return match.quantity, match.price, match.why or match.done, when


RESTS = (0.0, 0.0, "", "open")
"""Nothing traded: the order has been seen and rests, or waits with its stop touched."""


@pytest.mark.parametrize(
    ("fields", "price", "when"),
    [
        ({"quantity": 1.0}, 100.0, "open"),
        ({"quantity": -1.0}, 100.0, "open"),
        # stops: at their price inside the bar, at the open where it jumped over them
        ({"quantity": 1.0, "stop_price": 104.0}, 104.0, "close"),
        ({"quantity": 1.0, "stop_price": 105.0}, 105.0, "close"),
        ({"quantity": 1.0, "stop_price": 105.1}, None, ""),
        ({"quantity": 1.0, "stop_price": 99.0}, 100.0, "open"),
        ({"quantity": -1.0, "stop_price": 96.0}, 96.0, "close"),
        ({"quantity": -1.0, "stop_price": 95.0}, 95.0, "close"),
        ({"quantity": -1.0, "stop_price": 94.9}, None, ""),
        ({"quantity": -1.0, "stop_price": 101.0}, 100.0, "open"),
        # limits: at their price inside the bar, at the better open
        ({"quantity": 1.0, "limit_price": 96.0}, 96.0, "close"),
        ({"quantity": 1.0, "limit_price": 95.0}, 95.0, "close"),
        ({"quantity": 1.0, "limit_price": 94.9}, RESTS, ""),
        ({"quantity": 1.0, "limit_price": 101.0}, 100.0, "open"),
        ({"quantity": -1.0, "limit_price": 104.0}, 104.0, "close"),
        ({"quantity": -1.0, "limit_price": 105.1}, RESTS, ""),
        ({"quantity": -1.0, "limit_price": 99.0}, 100.0, "open"),
        # stop-limits: (stop, limit)
        ({"quantity": 1.0, "stop_price": 104.0, "limit_price": 104.5}, 104.0, "close"),
        ({"quantity": 1.0, "stop_price": 104.0, "limit_price": 104.0}, 104.0, "close"),
        (
            {"quantity": 1.0, "stop_price": 104.0, "limit_price": 103.0},
            103.0,
            "close",
        ),  # the close is behind it
        ({"quantity": 1.0, "stop_price": 106.0, "limit_price": 107.0}, None, ""),
        ({"quantity": 1.0, "stop_price": 99.0, "limit_price": 101.0}, 100.0, "open"),
        ({"quantity": 1.0, "stop_price": 99.0, "limit_price": 98.0}, 98.0, "close"),  # touched at the open
        ({"quantity": -1.0, "stop_price": 96.0, "limit_price": 95.5}, 96.0, "close"),
        # parts of one
        ({"quantity": 0.25, "stop_price": 104.0}, 104.0, "close"),
        ({"quantity": -0.25, "stop_price": 96.0}, 96.0, "close"),
        ({"quantity": 0.25, "limit_price": 96.0}, 96.0, "close"),
        ({"quantity": -0.25, "limit_price": 104.0}, 104.0, "close"),
        ({"quantity": -1.0, "stop_price": 96.0, "limit_price": 101.0}, 101.0, "close"),
    ],
)
def test_by_the_open_an_order_fills_where_the_bar_first_reaches_it(fields, price, when):
    if price is RESTS or price is None:
        assert hit(order(**fields)) == price
    else:
        assert hit(order(**fields)) == (fields["quantity"], price, "filled", when)


def test_a_stop_limit_order_whose_limit_may_have_come_first_is_touched_and_waits():
    match = on_bar(order(1.0, stop_price=104.0, limit_price=101.0), BAR, FREE, PLAIN)
    assert (0.0, "", True, True) == (match.quantity, match.done, match.order.triggered, match.order.resting)
    assert hit(match.order, candle(103.0, 103.0, 100.0, 101.5)) == (1.0, 101.0, "filled", "close")


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"quantity": 1.0}, 102.0),
        ({"quantity": 1.0, "stop_price": 104.0}, None),  # touched by the high and left
        ({"quantity": 1.0, "stop_price": 102.0}, 102.0),
        ({"quantity": 1.0, "stop_price": 99.0}, 102.0),
        ({"quantity": -1.0, "stop_price": 103.0}, 102.0),
        ({"quantity": 1.0, "limit_price": 96.0}, RESTS),
        ({"quantity": 1.0, "limit_price": 103.0}, 102.0),
        ({"quantity": 1.0, "limit_price": 103.0, "resting": True}, 102.0),
        ({"quantity": -1.0, "limit_price": 101.0}, 102.0),
    ],
)
def test_by_the_close_nothing_but_the_close_counts(fields, price):
    if price is None:
        assert hit(order(**fields), terms=CLOSE) is None
    elif price is RESTS:
        assert hit(order(**fields), terms=CLOSE) == (0.0, 0.0, "", "close")
    else:
        assert hit(order(**fields), terms=CLOSE) == (fields["quantity"], price, "filled", "close")


# ---- when -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("terms", [FREE, CLOSE])
@pytest.mark.parametrize(
    "bar",
    [
        replace(BAR, open_time=0, close_time=1_000),  # the signal's own bar
        replace(BAR, synthetic=True),
        replace(BAR, closed=False),
    ],
)
def test_no_order_fills_by_its_own_bar_by_one_that_is_made_up_or_by_one_that_is_open(bar, terms):
    assert hit(order(), bar, terms) is None


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"quantity": 1.0}, (1.0, 102.0, "filled", "close")),
        ({"quantity": 1.0, "stop_price": 104.0}, None),  # the high may have come before it
        ({"quantity": 1.0, "stop_price": 101.0}, (1.0, 102.0, "filled", "close")),
        ({"quantity": 1.0, "limit_price": 96.0}, (0.0, 0.0, "", "close")),
        (
            {"quantity": 1.0, "limit_price": 103.0},
            (1.0, 103.0, "filled", "close"),
        ),  # no better than its limit
        ({"quantity": 1.0, "expires_at": 1_500}, (0.0, 0.0, "expired", 1_500)),
    ],
)
def test_an_order_that_arrives_inside_a_bar_is_judged_by_the_close_alone(fields, outcome):
    assert hit(order(**fields), terms=Terms(latency=1)) == outcome
    assert hit(order(**fields), late=True) == outcome


@pytest.mark.parametrize(("latency", "when"), [(0, "open"), (1, "close"), (999, "close"), (1_000, None)])
def test_latency_moves_an_order_into_the_bar_and_out_of_it(latency, when):
    outcome = hit(order(), terms=Terms(latency=latency))
    assert when == (outcome and outcome[3])


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"quantity": 1.0}, (1.0, 100.0, "filled", "open")),
        ({"quantity": 1.0, "limit_price": 96.0}, (0.0, 0.0, "expired", 1_500)),  # the low may have come after
        ({"quantity": 1.0, "stop_price": 104.0}, (0.0, 0.0, "expired", 1_500)),
        ({"quantity": 900.0}, (500.0, 100.0, "expired", "open")),
    ],
)
def test_an_order_that_expires_inside_a_bar_is_judged_by_the_open_alone(fields, outcome):
    assert hit(order(**fields, expires_at=1_500), terms=Terms(volume_share=0.5)) == outcome


@pytest.mark.parametrize(
    ("expires_at", "outcome"),
    [
        (1_000, (0.0, 0.0, "expired", "open")),
        (900, (0.0, 0.0, "expired", "open")),
        (1_999, (0.0, 0.0, "expired", 1_999)),
        (2_000, (1.0, 96.0, "filled", "close")),  # the close of its day belongs to it
    ],
)
def test_an_order_of_the_day_lives_to_the_close_of_its_last_bar(expires_at, outcome):
    assert hit(order(1.0, limit_price=96.0, expires_at=expires_at)) == outcome


def test_one_that_expires_inside_a_bar_does_not_fill_by_its_close():
    assert hit(order(expires_at=1_500), terms=CLOSE) == (0.0, 0.0, "expired", 1_500)


# ---- size, price and time in force ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "quantity"),
    [
        ({}, 100.0),
        ({"volume_kind": "tick"}, 150.0),  # the number of ticks is no volume
        ({"volume": 0.0, "turnover": None}, 150.0),
        ({"volume": 0.0, "turnover": 0.0}, None),
        ({"turnover": None}, 100.0),
    ],
)
def test_an_order_gets_its_share_of_the_bars_volume_where_that_is_known(fields, quantity):
    match = on_bar(order(150.0), replace(BAR, **fields), Terms(volume_share=0.1), PLAIN)
    assert quantity == (match and match.quantity)


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({"stop_price": 104.0}, Terms(volume_share=0.1)),
        ({"limit_price": 96.0}, Terms(volume_share=0.1)),
        ({"stop_price": 104.0, "limit_price": 103.0}, Terms(volume_share=0.1)),
        ({}, Terms(volume_share=0.1, latency=1)),
        ({}, Terms(volume_share=0.1, bars="close")),
    ],
)
def test_wherever_in_the_bar_it_fills_the_volume_is_the_bars(fields, terms):
    assert 100.0 == on_bar(order(150.0, **fields), BAR, terms, PLAIN).quantity


def test_a_limit_that_was_reached_and_found_no_volume_is_as_it_was():
    dry = replace(BAR, volume=0.0, turnover=0.0)
    assert hit(order(1.0, limit_price=96.0, resting=True), dry, Terms(volume_share=0.1)) is None


def test_a_touched_stop_that_found_no_volume_trades_at_the_next_open():
    dry = replace(BAR, volume=0.0, turnover=0.0)
    made = order(1.0, stop_price=104.0)
    match = sound(made, on_bar(made, dry, Terms(volume_share=0.1), PLAIN))
    assert (0.0, "", True) == (match.quantity, match.done, match.order.triggered)
    assert hit(match.order, candle(90.0, 91.0, 89.0, 90.0)) == (1.0, 90.0, "filled", "open")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"limit_price": 96.0}, (0.0, 0.0, "ioc", "open")),  # its first event is the open
        ({"limit_price": 101.0}, (1.0, 100.0, "filled", "open")),
        ({"stop_price": 104.0}, (1.0, 104.0, "filled", "close")),
        ({"stop_price": 104.0, "limit_price": 103.0}, (0.0, 0.0, "ioc", "close")),
    ],
)
def test_an_immediate_order_has_one_price_of_a_bar(fields, outcome):
    assert hit(order(1.0, time_in_force="ioc", **fields)) == outcome


def test_trade_through_asks_a_bar_to_go_beyond_the_limit():
    through = Terms(trade_through=True)
    assert hit(order(1.0, limit_price=95.0), terms=through) == RESTS
    assert hit(order(1.0, limit_price=95.01), terms=through) == (1.0, 95.01, "filled", "close")
    assert hit(order(-1.0, limit_price=105.0), terms=through) == RESTS
    assert hit(order(1.0, stop_price=104.0, limit_price=104.0), terms=through) == (
        1.0,
        104.0,
        "filled",
        "close",
    )
    high = replace(BAR, close=104.5)  # the price was at stop and limit when the bar went through them
    assert hit(order(1.0, stop_price=104.0, limit_price=104.0), high, through)[:3] == (1.0, 104.0, "filled")
    beyond = order(1.0, stop_price=104.0, limit_price=102.0)  # the close is at its limit
    assert hit(beyond, terms=through) == (0.0, 0.0, "", "close")
    assert hit(beyond) == (1.0, 102.0, "filled", "close")
    assert hit(order(-1.0, limit_price=100.0), terms=through) == (-1.0, 100.0, "filled", "close")


def test_stops_slip_and_limits_inside_a_bar_do_not():
    terms = Terms(slippage=FixedSlippage(1.0))
    assert hit(order(1.0, stop_price=104.0), terms=terms) == (1.0, 105.0, "filled", "close")
    assert hit(order(1.0, limit_price=96.0), terms=terms) == (1.0, 96.0, "filled", "close")
    assert hit(order(1.0, limit_price=100.5), terms=terms) == (1.0, 100.5, "filled", "open")
    assert hit(order(1.0, stop_price=104.0, limit_price=104.5), terms=terms) == (
        1.0,
        104.5,
        "filled",
        "close",
    )


# ---- several orders in one bar --------------------------------------------------------------------------
def carried_out(*orders, bar=BAR):
    matches = [on_bar(each, bar, FREE, PLAIN) for each in orders]
    return [match.order.order_id for match in sequence([m for m in matches if m], bar)]


def test_of_a_stop_and_a_target_in_one_bar_the_stop_comes_first():
    stop = order(-1.0, order_id="stop", stop_price=96.0, reduce_only=True, seq=2)
    target = order(-1.0, order_id="target", limit_price=104.0, reduce_only=True, seq=1)
    assert ["stop", "target"] == carried_out(target, stop)
    short_stop = order(1.0, order_id="stop", stop_price=104.0, reduce_only=True, seq=2)
    short_target = order(1.0, order_id="target", limit_price=96.0, reduce_only=True, seq=1)
    assert ["stop", "target"] == carried_out(short_target, short_stop)


def test_what_the_open_fills_comes_before_what_lies_inside_the_bar():
    stop = order(-1.0, order_id="stop", stop_price=96.0, reduce_only=True, seq=1)
    target = order(-1.0, order_id="target", limit_price=99.0, reduce_only=True, seq=3)
    market = order(1.0, order_id="market", seq=2)
    assert ["market", "target", "stop"] == carried_out(stop, target, market)


def test_entries_come_before_what_reduces_and_of_two_the_worse_at_the_close():
    stop = order(-1.0, order_id="stop", stop_price=97.0, reduce_only=True, seq=1)
    up = order(1.0, order_id="up", stop_price=104.0, seq=2)  # 2 under water at the close of 102
    down = order(-1.0, order_id="down", stop_price=96.0, seq=3)  # 6 under water
    assert ["down", "up", "stop"] == carried_out(stop, up, down)


@pytest.mark.parametrize(("close", "first"), [(100.5, "down"), (99.5, "up")])
def test_both_sides_are_measured_alike(close, first):
    up = order(0.25, order_id="up", stop_price=103.0)
    down = order(-0.25, order_id="down", stop_price=97.0, seq=2)
    assert first == carried_out(up, down, bar=replace(BAR, close=close))[0]


def test_what_the_open_fills_comes_before_an_entry_however_that_stands_at_the_close():
    entry = order(1.0, order_id="entry", stop_price=104.0, seq=1)
    assert ["market", "entry"] == carried_out(entry, order(1.0, order_id="market", seq=2))


def test_an_order_that_only_changes_comes_with_the_open_by_acceptance():
    rests = order(1.0, order_id="rests", limit_price=50.0, seq=1)
    assert ["rests", "market"] == carried_out(order(1.0, order_id="market", seq=2), rests)
