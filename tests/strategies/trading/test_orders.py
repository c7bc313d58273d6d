import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.orders import DUST, Order, closing, combine, opening, reducing


def test_parts_that_cancel_but_for_rounding_give_exactly_zero():
    assert (0.1 + 0.2) - 0.3 != 0.0
    assert combine(0.1 + 0.2, -0.3) == 0.0


QUANTITY = st.floats(-1e12, 1e12).filter(lambda q: abs(q) > 1e-6)


@given(QUANTITY, QUANTITY)
def test_a_sum_is_right_to_the_documented_dust(held, change):
    assert abs(combine(held, change) - (held + change)) <= DUST * max(abs(held), abs(change))


@given(QUANTITY, QUANTITY)
def test_a_reducing_order_never_takes_a_position_away_from_zero_or_through_it(held, quantity):
    result = held + reducing(quantity, held)
    assert 0 <= result * held <= held * held


def order(quantity, closes, filled=0.0):
    return Order(
        order_id="o", signal_id="s", deployment_id="d", account_id="a", symbol="X", quantity=quantity,
        reduce_only=False, leg="", data_as_of=0, accepted_at=0, seq=1, closes=closes, filled=filled,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "held", "pending", "closes"),
    [
        (-13.0, 10.0, 0.0, 10.0),
        (-4.0, 10.0, 0.0, 4.0),
        (13.0, -10.0, 0.0, 10.0),
        (5.0, 10.0, 0.0, 0.0),
        (5.0, 0.0, 0.0, 0.0),
        (-13.0, 10.0, -4.0, 6.0),  # another sell waits, and has its part of what is held
        (-3.0, 10.0, -13.0, 0.0),
    ],
)
def test_an_order_closes_what_no_other_of_its_side_will_have_closed(quantity, held, pending, closes):
    assert closing(quantity, held, pending) == closes


@pytest.mark.parametrize(
    ("quantity", "closes", "filled", "held", "left"),
    [
        (-13.0, 10.0, 0.0, 10.0, -13.0),
        (-13.0, 10.0, 0.0, 12.0, -13.0),  # bought more meanwhile: it is not asked to sell that
        (-13.0, 10.0, 0.0, 4.0, -7.0),
        (-13.0, 10.0, 0.0, 0.0, -3.0),
        (-13.0, 10.0, 0.0, -2.0, -3.0),
        (-13.0, 10.0, -4.0, 6.0, -9.0),
        (-13.0, 10.0, -4.0, 0.0, -3.0),
        (-13.0, 10.0, -12.0, -2.0, -1.0),
        (13.0, 10.0, 0.0, -4.0, 7.0),
        (13.0, 0.0, 0.0, 0.0, 13.0),
    ],
)
def test_an_order_opens_no_more_than_it_was_accepted_for(quantity, closes, filled, held, left):
    cut = opening(order(quantity, closes, filled), held)
    assert cut.left == left
    assert opening(cut, held) == cut


@given(QUANTITY, QUANTITY, st.floats(0, 1), st.floats(0, 1))
def test_an_order_never_leads_beyond_where_it_would_have(quantity, held, share, gone):
    """Whatever part of it has filled, and whatever of the position has been closed by others since."""
    made = order(quantity, closing(quantity, held, 0.0))
    target = held + quantity
    part = quantity * share
    now = (held + part) * gone if abs(held + part) * gone >= 1e-6 else 0.0
    cut = opening(order(quantity, made.closes, part), now)
    after = now + cut.left
    worst = max(abs(target), abs(now)) * (1 + 1e-6) + 1e-3
    assert abs(after) <= worst
    assert abs(cut.left) <= abs(combine(quantity, -part))
