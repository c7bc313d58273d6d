"""What holds of every match, whatever the order and the event."""

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Tick
from strategies.trading.matching import on_bar, on_tick
from strategies.trading.terms import FixedSlippage, PercentageSlippage, Terms
from tests.strategies.trading.market_world import PLAIN, candle, order

PRICE = st.integers(80, 120).map(float)
KINDS = st.fixed_dictionaries(
    {"quantity": st.sampled_from([1.0, -1.0, 40.0, -40.0])},
    optional={
        "stop_price": PRICE,
        "limit_price": PRICE,
        "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok"]),
        "expires_at": st.integers(1, 3_000),
        "reduce_only": st.booleans(),
        "resting": st.booleans(),
        "triggered": st.booleans(),
    },
)
TERMS = st.builds(
    Terms,
    slippage=st.sampled_from([PercentageSlippage(30), FixedSlippage(0.5)]),
    latency=st.sampled_from([0, 0, 500, 1_500]),
    volume_share=st.sampled_from([None, 0.01, 0.5]),
    trade_through=st.booleans(),
    bars=st.sampled_from(["open", "close"]),
)


@st.composite
def bars(draw):
    prices = draw(st.lists(PRICE, min_size=4, max_size=4))
    open_, close, *_ = draw(st.permutations(prices))
    return candle(open_, max(prices), min(prices), close)


def check(made, match, low, high):
    """Check what holds of every match, whatever the event: ``low`` and ``high`` bound the market's prices."""
    quantity, price = match.quantity, match.price
    assert match.order.order_id == made.order_id
    assert abs(match.order.filled) <= abs(made.quantity)
    assert (match.done == "filled") == (match.order.left == 0.0)
    if not quantity:
        assert match.done or match.order != made
        return
    assert quantity * made.quantity > 0
    buying = quantity > 0
    limit = made.limit_price
    if limit is not None:
        assert price <= limit if buying else price >= limit
    if made.kind == "stop" and not made.triggered:
        assert price >= made.stop_price if buying else price <= made.stop_price
    if made.kind in {"market", "stop"}:  # never better than every price of the event
        assert price >= low if buying else price <= high


@given(KINDS, TERMS, bars())
def test_no_bar_fills_beyond_a_limit_better_than_a_stop_or_better_than_the_market(fields, terms, bar):
    made = order(**fields)
    match = on_bar(made, bar, terms, PLAIN)
    assume(match is not None)
    check(made, match, bar.low, bar.high)


@given(KINDS, TERMS, PRICE, st.integers(900, 2_500))
def test_no_tick_fills_beyond_a_limit_better_than_a_stop_or_better_than_the_market(fields, terms, price, ts):
    made = order(**fields)
    match = on_tick(made, Tick("X", ts, last=price, size=50.0), terms, PLAIN)
    assume(match is not None)
    check(made, match, price, price)
    assert not match.quantity or ts >= made.data_as_of + terms.latency


@given(KINDS, TERMS, bars())
def test_by_the_open_a_flat_bar_does_what_a_tick_at_its_price_does(fields, terms, bar):
    assume(terms.latency == 0)
    made = order(**fields | {"resting": False})
    assume(not 1_000 < made.expires_at < 2_000)
    terms = replace(terms, bars="open")
    flat = replace(bar, high=bar.open, low=bar.open, close=bar.open)
    tick = Tick("X", 1_000, last=bar.open, size=bar.volume)
    assert on_tick(made, tick, terms, PLAIN) == on_bar(made, flat, terms, PLAIN)


def walk(*corners):
    """Return the prices of ticks that go from corner to corner in steps of one."""
    path = [corners[0]]
    for corner in corners[1:]:
        step = 1.0 if corner > path[-1] else -1.0
        while path[-1] != corner:
            path.append(path[-1] + step)
    return path


@given(
    bars(),
    st.sampled_from([1.0, -1.0]),
    st.sampled_from(["market", "stop", "limit"]),
    PRICE,
    st.tuples(st.booleans(), st.booleans()),
)
def test_a_bar_does_what_ticks_that_walk_through_it_do_whichever_way_they_go(bar, side, kind, price, how):
    up, through = how
    prices = {"stop": {"stop_price": price}, "limit": {"limit_price": price}}.get(kind, {})
    made, terms = order(side, **prices), Terms(trade_through=through)
    corners = (bar.high, bar.low) if up else (bar.low, bar.high)
    now, walked = made, (0.0, 0.0)
    for ts, last in enumerate(walk(bar.open, *corners, bar.close), 1_000):
        match = on_tick(now, Tick("X", ts, last=last), terms, PLAIN)
        if match is not None:
            now, walked = match.order, (match.quantity, match.price)
        if match is not None and match.done:
            break
    match = on_bar(made, bar, terms, PLAIN)
    assert walked == ((0.0, 0.0) if match is None else (match.quantity, match.price))
