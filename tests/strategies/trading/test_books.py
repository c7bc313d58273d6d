import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Fill, Position
from strategies.trading.books import Books, after, marked

EMPTY = Position("d", "X")


def run(*trades, position=EMPTY):
    for quantity, price in trades:
        position = after(position, quantity, price)
    return position


def test_the_first_fill_opens_at_its_price():
    assert run((2.0, 100.0)) == Position("d", "X", 2.0, 100.0)


def test_adding_averages_the_cost():
    assert run((1.0, 100.0), (3.0, 120.0)) == Position("d", "X", 4.0, 115.0)


def test_reducing_realises_against_the_average_and_keeps_it():
    assert run((4.0, 100.0), (-1.0, 110.0)) == Position("d", "X", 3.0, 100.0, realised=10.0, trip=10.0)


def test_closing_a_short_realises_the_fall():
    assert run((-2.0, 100.0), (2.0, 90.0)) == Position("d", "X", 0.0, 0.0, realised=20.0)


def test_a_flip_through_zero_realises_the_old_side_and_opens_the_new_at_the_fill():
    assert run((2.0, 100.0), (-5.0, 110.0)) == Position("d", "X", -3.0, 110.0, realised=20.0)
    assert run((-2.0, 100.0), (5.0, 110.0)) == Position("d", "X", 3.0, 110.0, realised=-20.0)


def test_fills_that_cancel_but_for_rounding_leave_exactly_nothing():
    position = run((0.1, 100.0), (0.2, 100.0), (-0.3, 100.0))
    assert (position.quantity, position.average_price) == (0.0, 0.0)


def test_a_fee_is_lost_when_it_is_paid():
    position = after(EMPTY, 1.0, 100.0, fee=2.5)
    assert (position.realised, position.fees) == (-2.5, 2.5)


def test_an_unknown_price_leaves_the_profit_unknown_but_not_of_nothing():
    assert marked(run((1.0, 100.0)), None).unrealised is None
    assert marked(EMPTY, None).unrealised == 0.0
    assert marked(run((-2.0, 100.0)), 90.0).unrealised == 20.0


TRADE = st.tuples(
    st.floats(-1e4, 1e4).filter(lambda q: abs(q) > 1e-3), st.floats(0.01, 1e5), st.floats(0, 10)
)


@given(st.lists(TRADE, min_size=1, max_size=40), st.floats(0.01, 1e5))
def test_profit_is_cash_flow_plus_mark_whatever_the_fills(trades, last):
    position, cash, held, turnover = EMPTY, 0.0, 0.0, 1.0
    for quantity, price, fee in trades:
        position = after(position, quantity, price, fee)
        cash -= quantity * price + fee
        held += quantity
        turnover += abs(quantity) * max(price, last) + fee
    final = marked(position, last)
    assert final.realised + final.unrealised == pytest.approx(
        cash + held * last, abs=1e-9 * turnover * len(trades)
    )
    assert final.quantity == pytest.approx(held, abs=1e-9 * sum(abs(q) for q, _, _ in trades))
    assert final.fees == pytest.approx(sum(fee for _, _, fee in trades))


@given(st.lists(TRADE, min_size=2, max_size=12), st.randoms(use_true_random=False), st.floats(0.01, 1e5))
def test_the_total_does_not_depend_on_the_order_of_the_fills(trades, random, last):
    def total(fills):
        position = EMPTY
        for quantity, price, fee in fills:
            position = after(position, quantity, price, fee)
        final = marked(position, last)
        return final.realised + final.unrealised

    shuffled = list(trades)
    random.shuffle(shuffled)
    turnover = sum(abs(q) * max(p, last) + f for q, p, f in trades)
    assert total(shuffled) == pytest.approx(total(trades), abs=1e-9 * turnover * len(trades))


@given(st.lists(TRADE, min_size=1, max_size=20))
def test_going_flat_at_the_end_leaves_exactly_nothing(trades):
    position = EMPTY
    for quantity, price, fee in trades:
        position = after(position, quantity, price, fee)
    if position.quantity:
        position = after(position, -position.quantity, 50.0)
    assert (position.quantity, position.average_price) == (0.0, 0.0)


def fill(symbol, quantity, price):
    return Fill("f", "s", "d", "A", symbol, quantity, price, 0.0, 1)


def test_books_keep_deployments_and_symbols_apart_and_mark_each_at_its_price():
    books = Books()
    books.apply(fill("Y", 1.0, 10.0), 1)
    books.apply(fill("X", 2.0, 100.0), 2)
    assert books.of("d", {"X": 101.0}.get) == [
        Position("d", "X", 2.0, 100.0, unrealised=2.0, account_id="A"),
        Position("d", "Y", 1.0, 10.0, unrealised=None, account_id="A"),
    ]
    assert books.of("other", {}.get) == []
    assert books.held("d", "X") == 2.0


def test_dropping_the_flat_keeps_what_is_held():
    books = Books()
    for seq, each in enumerate((fill("X", 1.0, 10.0), fill("X", -1.0, 11.0), fill("Y", 1.0, 10.0))):
        books.apply(each, seq)
    books.drop_flat("d")
    assert [position.symbol for position in books.everything()] == ["Y"]
