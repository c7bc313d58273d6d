"""A strategy's own books: round trips, and orders that wait for their fill."""

from __future__ import annotations

from bus.messages import Fill, Position, Signal, SignalAck
from strategies.books import MAX_OPEN, Books


def fill(quantity: float, *, at: int = 1, price: float = 10.0, signal: str = "s") -> Fill:
    return Fill("f", signal, "d", "a", "X", quantity, price, 1.0, at)


def held(quantity: float, *, realised: float = 0.0, fees: float = 0.0, average: float = 10.0) -> Position:
    return Position("d", "X", quantity, average, realised=realised, fees=fees)


def test_a_round_trip_of_several_fills_is_one_trade_with_all_its_fees():
    books = Books()
    assert books.fill(fill(1.0, at=5), held(1.0, realised=-1.0, fees=1.0)) is None
    assert books.fill(fill(1.0, at=6), held(2.0, realised=-2.0, fees=2.0)) is None
    assert books.fill(fill(-1.0, at=7), held(1.0, realised=3.0, fees=3.0)) is None
    trade = books.fill(fill(-1.0, at=9, price=14.0), held(0.0, realised=8.0, fees=4.0))
    assert (trade.quantity, trade.entry_price, trade.exit_price) == (1.0, 10.0, 14.0)
    assert (trade.realised, trade.fees, trade.opened_at, trade.closed_at) == (8.0, 4.0, 5, 9)


def test_the_next_trip_counts_from_where_the_last_one_ended():
    books = Books()
    books.fill(fill(1.0), held(1.0))
    books.fill(fill(-1.0), held(0.0, realised=5.0, fees=2.0))
    books.fill(fill(-2.0, at=20), held(-2.0, realised=4.0, fees=3.0))
    trade = books.fill(fill(2.0, at=30), held(0.0, realised=1.0, fees=4.0))
    assert (trade.quantity, trade.realised, trade.fees, trade.opened_at) == (-2.0, -4.0, 2.0, 20)


def test_a_fill_through_zero_ends_one_trip_and_begins_the_other():
    books = Books()
    books.fill(fill(2.0, at=5), held(2.0))
    trade = books.fill(fill(-5.0, at=6), held(-3.0, realised=7.0, fees=1.0))
    assert (trade.quantity, trade.realised) == (2.0, 7.0)
    other = books.fill(fill(3.0, at=8), held(0.0, realised=9.0, fees=2.0))
    assert (other.quantity, other.realised, other.fees, other.opened_at) == (-3.0, 2.0, 1.0, 6)


def test_a_position_from_before_counts_from_the_restart_unless_the_checkpoint_knows_better():
    books = Books()
    books.now = 100
    books.welcome([held(1.0, realised=50.0, fees=9.0)])
    trade = books.fill(fill(-1.0, at=200), held(0.0, realised=53.0, fees=10.0))
    assert (trade.realised, trade.fees, trade.opened_at) == (3.0, 1.0, 100)


def test_orders_without_a_verdict_or_a_fill_are_bounded():
    books = Books()
    for number in range(1, MAX_OPEN + 50):
        books.remember([Signal(symbol="X", intent="enter_long", number=number)])
        books.judge(SignalAck("k", "accepted", signal_id=f"s{number}", number=number))
    assert len(books.open_orders) == MAX_OPEN
    assert "s1" not in books.open_orders


def test_a_cancel_is_no_order_and_an_unknown_verdict_changes_nothing():
    books = Books()
    books.remember([Signal(symbol="X", intent="cancel", number=1)])
    books.judge(SignalAck("k", "accepted", signal_id="s1", number=1))
    books.judge(SignalAck("k", "accepted", signal_id="s9", number=9))
    assert books.open_orders == {}


def test_a_signal_that_waits_is_known_by_its_id_and_is_an_order_once_it_is_approved():
    books = Books()
    books.remember([Signal(symbol="X", intent="enter_long", number=7)])
    first = books.judge(SignalAck("k", "pending", signal_id="s", number=7))
    assert (first.decision, list(books.unjudged), list(books.open_orders)) == ("pending", [], [])
    # Another instance gave the number to another signal, of which this verdict is not.
    books.remember([Signal(symbol="Y", intent="enter_long", number=7)])
    second = books.judge(SignalAck("k", "accepted", signal_id="s"))
    assert (second.decision, second.number) == ("accepted", 7)
    assert (books.open_orders["s"].signal.symbol, list(books.unjudged), books.pending) == ("X", [7], {})


def test_a_signal_that_was_denied_is_told_and_no_order():
    books = Books()
    books.remember([Signal(symbol="X", intent="enter_long", number=1)])
    books.judge(SignalAck("k", "pending", signal_id="s", number=1))
    denied = SignalAck("k", "rejected", "approval_denied", signal_id="s")
    assert books.judge(denied).rule == "approval_denied"
    assert (books.open_orders, books.judge(denied)) == ({}, None)


def test_signals_that_wait_are_bounded():
    books = Books()
    for number in range(1, MAX_OPEN + 50):
        books.remember([Signal(symbol="X", intent="enter_long", number=number)])
        books.judge(SignalAck("k", "pending", signal_id=f"s{number}", number=number))
    assert len(books.pending) == MAX_OPEN
