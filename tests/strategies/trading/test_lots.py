"""Lots, first in, first out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading import lots as fifo
from strategies.trading.errors import LedgerError
from strategies.trading.lots import HAIR, Lot
from strategies.trading.orders import combine
from strategies.trading.records import LotMove

THREE = (Lot(1, 2.0, 100.0), Lot(2, 3.0, 110.0), Lot(5, 1.0, 120.0))
SHORT = tuple(Lot(seq, -quantity, price) for seq, quantity, price in THREE)


def test_a_fill_from_flat_opens_a_lot():
    assert ((Lot(7, -2.0, 99.0),), 0.0, LotMove(opened=-2.0)) == fifo.after((), -2.0, 99.0, 7, -2.0)


def test_a_fill_of_the_same_side_adds_a_lot_behind_the_others():
    expected = (*THREE, Lot(9, 4.0, 90.0)), 0.0, LotMove(opened=4.0)
    assert expected == fifo.after(THREE, 4.0, 90.0, 9, 10.0)


def test_a_reduction_closes_the_oldest_first_and_takes_from_the_next():
    kept, profit, move = fifo.after(THREE, -4.0, 130.0, 9, 2.0)
    assert (Lot(2, 1.0, 110.0), Lot(5, 1.0, 120.0)) == kept
    assert 2 * 30.0 + 2 * 20.0 == profit
    assert LotMove([1], (2, 1.0)) == move


def test_a_short_is_closed_alike_and_earns_by_the_fall():
    kept, profit, move = fifo.after(SHORT, 4.0, 130.0, 9, -2.0)
    assert (Lot(2, -1.0, 110.0), Lot(5, -1.0, 120.0)) == kept
    assert -100.0 == profit
    assert LotMove([1], (2, -1.0)) == move


def test_a_reduction_within_the_oldest_lot_closes_none():
    kept, profit, move = fifo.after(THREE, -0.5, 104.0, 9, 5.5)
    assert ((Lot(1, 1.5, 100.0), *THREE[1:]), 2.0, LotMove([], (1, 1.5))) == (kept, profit, move)


def test_a_reduction_by_whole_lots_splits_none():
    kept, profit, move = fifo.after(THREE, -5.0, 100.0, 9, 1.0)
    assert (THREE[2:], -30.0, LotMove([1, 2])) == (kept, profit, move)


def test_going_flat_closes_all():
    assert ((), 40.0, LotMove([1, 2, 5])) == fifo.after(THREE, -6.0, 115.0, 9, 0.0)


def test_a_fill_through_zero_closes_all_and_opens_what_is_left_at_its_price():
    kept, profit, move = fifo.after(THREE, -10.0, 115.0, 9, -4.0)
    assert ((Lot(9, -4.0, 115.0),), 40.0, LotMove([1, 2, 5], None, -4.0)) == (kept, profit, move)
    kept, profit, move = fifo.after(SHORT, 10.0, 115.0, 9, 4.0)
    assert ((Lot(9, 4.0, 115.0),), -40.0, LotMove([1, 2, 5], None, 4.0)) == (kept, profit, move)


def test_no_lot_is_split_for_rounding():
    """1.2 - 1.0 is 0.19999999999999996; the second lot stays as it was."""
    lots = (Lot(1, 1.0, 100.0), Lot(2, 0.2, 110.0))
    kept, _, move = fifo.after(lots, -1.0, 100.0, 9, 1.2 - 1.0)
    assert (lots[1:], LotMove([1])) == (kept, move)
    # 0.3 - 0.1 is 0.19999999999999998: nothing of the first lot is kept for what is missing.
    lots = (Lot(1, 0.1, 100.0), Lot(2, 0.19999999999999996, 110.0))
    kept, _, move = fifo.after(lots, -0.1, 100.0, 9, 0.2)
    assert (lots[1:], LotMove([1])) == (kept, move)


@pytest.mark.parametrize(("much", "splits"), [(HAIR, False), (2 * HAIR, True)])
def test_a_hair_more_or_less_than_a_lot_splits_none_and_two_do(much, splits):
    more, less = Lot(2, 1.0 + much, 110.0), Lot(2, 1.0 - much, 110.0)
    moves = [fifo.after((Lot(1, 1.0, 100.0), lot), -1.0, 100.0, 9, 1.0)[2] for lot in (more, less)]
    whole = LotMove([1])
    assert ([LotMove([1], (2, 1.0)), LotMove([], (1, much))] if splits else [whole, whole]) == moves


def test_more_than_rounding_splits_a_lot():
    lots = (Lot(1, 1.0, 100.0), Lot(2, 1.0, 110.0))
    kept, _, move = fifo.after(lots, -1.00000001, 100.0, 9, 1.0 - 1e-8)
    assert ([1], (2, 1.0 - 1e-8)) == (move.closed, move.left)
    kept, _, move = fifo.after(lots, -0.99999999, 100.0, 9, 1.0 + 1e-8)
    assert ([], (1, pytest.approx(1e-8))) == (move.closed, move.left)
    assert 2 == len(kept)


def test_a_move_that_is_not_of_these_lots_is_refused():
    with pytest.raises(LedgerError, match=r"record 9 closes lots \[2\], but \[1, 2, 5\] are open"):
        fifo.moved(THREE, LotMove([2]), 9, 100.0)
    with pytest.raises(LedgerError, match=r"record 9 takes from lot 5, but \[2, 5\] are open"):
        fifo.moved(THREE, LotMove([1], (5, 0.5)), 9, 100.0)
    with pytest.raises(LedgerError, match=r"record 9 takes from lot 5, but \[\] are open"):
        fifo.moved(THREE, LotMove([1, 2, 5], (5, 0.5)), 9, 100.0)
    with pytest.raises(LedgerError, match=r"record 9 closes lots \[1, 2, 5, 6\]"):
        fifo.moved(THREE, LotMove([1, 2, 5, 6]), 9, 100.0)


def test_lots_ascend_by_the_record_that_opened_them():
    for seq in (4, 5):
        with pytest.raises(LedgerError, match=f"record {seq} opens a lot after that of record 5"):
            fifo.after(THREE, 1.0, 100.0, seq, 7.0)
    assert 6 == fifo.after(THREE, 1.0, 100.0, 6, 7.0)[0][-1].seq
    assert (Lot(3, -1.0, 100.0),) == fifo.after(THREE, -7.0, 100.0, 3, -1.0)[0]


def test_quantity_and_profit_are_those_of_all_lots():
    assert 6.0 == fifo.quantity(THREE)
    assert -6.0 == fifo.quantity(SHORT)
    assert 2 * 10.0 + 0.0 - 10.0 == fifo.profit(THREE, 110.0)
    assert -10.0 == fifo.profit(SHORT, 110.0)
    assert (0.0, 0.0) == (fifo.quantity(()), fifo.profit((), 110.0))


QUANTITY = st.floats(-1e6, 1e6).filter(lambda quantity: abs(quantity) > 1e-6)


@given(st.lists(st.tuples(QUANTITY, st.floats(-100.0, 1e5)), max_size=60))
def test_after_any_fills_lots_make_up_the_position_and_are_of_its_side(fills):
    lots, held = (), 0.0
    for seq, (quantity, price) in enumerate(fills, start=1):
        before, held = lots, combine(held, quantity)
        lots, _, move = fifo.after(lots, quantity, price, seq, held)
        assert abs(fifo.quantity(lots) - held) <= 1e-11 * abs(held)
        assert all((lot.quantity > 0) == (held > 0) for lot in lots)
        assert sorted({lot.seq for lot in lots}) == [lot.seq for lot in lots]
        assert lots == fifo.moved(before, move, seq, price)
    assert bool(lots) == bool(held)


@given(st.lists(st.tuples(QUANTITY, st.floats(1.0, 1e5)), min_size=1, max_size=40), st.floats(1.0, 1e5))
def test_profit_closed_and_open_is_what_was_paid_and_what_is_held(fills, last):
    lots, held, closed, cash, turnover = (), 0.0, 0.0, 0.0, 0.0
    for seq, (quantity, price) in enumerate(fills, start=1):
        held = combine(held, quantity)
        lots, profit, _ = fifo.after(lots, quantity, price, seq, held)
        closed += profit
        cash -= quantity * price
        turnover += abs(quantity) * max(price, last)
    expected = cash + sum(quantity for quantity, _ in fills) * last
    assert expected == pytest.approx(closed + fifo.profit(lots, last), abs=2e-9 * turnover)
