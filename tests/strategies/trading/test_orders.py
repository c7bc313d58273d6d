from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.orders import DUST, combine, reducing


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
