"""The books: fills in, positions, lots and the money of accounts out."""

from math import inf, nan

import msgspec
import pytest
from msgspec.structs import replace

from bus.messages import Fill, Position
from strategies.trading.accounts import Ledger, Settled
from strategies.trading.books import Books, Entry
from strategies.trading.errors import LedgerError
from strategies.trading.lots import Lot
from strategies.trading.records import LotMove, LotRing


def fill(
    symbol="X", quantity=1.0, price=100.0, fee=0.0, *, owner="d", account="A", currency="USD", live=False
):
    return Fill("f1", "s", owner, account, symbol, quantity, price, fee, 1, currency=currency, live=live)


def books_of(*fills, multiplier=1.0):
    books = Books()
    for seq, each in enumerate(fills, start=1):
        books.apply(each, seq, multiplier)
    return books


def state(books):
    """Everything that a snapshot takes, in bytes."""
    return msgspec.msgpack.encode((list(books.everything()), books.rings(), books.settled()))


# ---- entry and post ---------------------------------------------------------------------------------
def test_an_entry_tells_what_a_fill_changes_and_changes_nothing():
    books = books_of(fill(quantity=2.0), fill(quantity=1.0, price=106.0))
    before = state(books)
    entry = books.entry(fill(quantity=-2.5, price=110.0, fee=1.0), 3)
    position = Position(
        "d", "X", 0.5, 102.0, realised=19.0, fees=1.0, currency="USD", fifo_realised=21.0, trip=19.0,
        account_id="A",
    )  # fmt: skip
    assert Entry(position, LotMove([1], (2, 0.5)), None) == entry
    assert before == state(books)


def test_posting_an_entry_enters_it():
    books = books_of(fill(quantity=2.0))
    entry = books.entry(fill(quantity=1.0, price=106.0), 2)
    books.post(entry.position, entry.lots, 2, 106.0)
    assert entry.position == books.position("d", "X")
    assert (Lot(1, 2.0, 100.0), Lot(2, 1.0, 106.0)) == books.lots("d", "X")
    assert state(books) == state(books_of(fill(quantity=2.0), fill(quantity=1.0, price=106.0)))


def test_an_entry_tells_the_profit_of_the_round_trip_that_it_ends():
    books = books_of(fill(quantity=2.0, fee=1.0), fill(quantity=-1.0, price=110.0, fee=1.0))
    assert books.entry(fill(quantity=-0.5, price=110.0), 3).closed is None
    assert 17.0 == books.entry(fill(quantity=-1.0, price=110.0, fee=1.0), 3).closed
    assert 17.0 == books.entry(fill(quantity=-9.0, price=110.0, fee=1.0), 3).closed
    assert books.entry(fill(quantity=1.0, price=110.0), 3).closed is None
    assert books_of().entry(fill(), 1).closed is None


def test_a_round_trip_counts_from_where_the_last_one_ended():
    books = books_of(fill(), fill(quantity=-1.0, price=150.0), fill(quantity=-1.0, price=90.0, fee=1.0))
    assert 4.0 == books.apply(fill(quantity=2.0, price=85.0), 4).closed
    assert -5.0 == books.apply(fill(quantity=-1.0, price=80.0), 5).closed
    assert 49.0 == books.position("d", "X").realised


def test_a_short_round_trip_that_ends_flat_is_told_too():
    assert 10.0 == books_of(fill(quantity=-1.0)).entry(fill(quantity=1.0, price=90.0), 2).closed


def test_both_ways_of_cost_agree_when_flat_and_multiply_alike():
    books = books_of(
        fill(quantity=1.0, fee=1.0), fill(quantity=2.0, price=130.0), fill(quantity=-1.0, price=120.0),
        multiplier=10.0,
    )  # fmt: skip
    held = books.position("d", "X")
    assert (-1.0, 199.0) == (held.realised, held.fifo_realised)
    flat = books.apply(fill(quantity=-2.0, price=125.0), 4, 10.0).position
    assert (99.0, 99.0) == (flat.realised, flat.fifo_realised)


def test_the_multiplier_of_a_fill_is_that_of_what_it_closes():
    books = books_of(fill(quantity=1.0), multiplier=10.0)
    entry = books.entry(fill(quantity=-1.0, price=101.0), 2, 50.0)
    assert (10.0, 10.0, 10.0) == (entry.position.realised, entry.position.fifo_realised, entry.closed)
    opened = books_of().entry(fill(quantity=1.0), 1, 50.0)
    assert 50.0 == opened.position.multiplier
    assert 1.0 == books_of().entry(fill(quantity=1.0), 1).position.multiplier


# ---- what is refused --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"quantity": nan}, "quantity is nan, not a number from -1e18 to 1e18"),
        ({"quantity": inf}, "quantity is inf, not a number"),
        ({"quantity": 1.1e18}, r"quantity is 1.1e\+18, not a number"),
        ({"quantity": 0.0}, "quantity is 0; above 0 buys and below 0 sells"),
        ({"price": nan}, "price is nan, not a number"),
        ({"price": -inf}, "price is -inf, not a number"),
        ({"fee": nan}, "fee is nan, not a number"),
        ({"multiplier": nan}, "multiplier is nan, not a number"),
        ({"multiplier": 0.0}, "multiplier of X is 0, not above 0"),
        ({"multiplier": -2.0}, "multiplier of X is -2, not above 0"),
        ({"account": "B"}, "it is on paper for 'B', but d holds 1 X on paper for 'A': close that first"),
        ({"live": True}, "it is live for 'A', but d holds 1 X on paper for 'A': close that first"),
    ],
)
def test_what_is_no_fill_is_refused_in_a_sentence_and_changes_nothing(wrong, why):
    books, multiplier = books_of(fill()), wrong.get("multiplier", 1.0)
    before = state(books)
    with pytest.raises(LedgerError, match=f"fill f1: {why}"):
        books.apply(fill(**{k: v for k, v in wrong.items() if k != "multiplier"}), 2, multiplier)
    assert before == state(books)


def test_a_fill_that_may_be_entered_has_nothing_against_it():
    books = books_of(fill())
    for fine in (
        fill(),
        fill(quantity=-1e18),
        fill(price=-1e18),
        fill(fee=-1.0),
        fill(symbol="Y", account="B"),
    ):
        assert books.refusal(fine, 1.0) is None
    assert books.refusal(fill(), 1e18) is None


def test_the_largest_numbers_stay_finite():
    books = Books()
    for seq, quantity in enumerate([1e18, 1e18, -1e18, -1e18, -1e18, 1e18], start=1):
        books.apply(fill(quantity=quantity, price=1e18 * (-1) ** seq, fee=1e18), seq, 1e18)
    assert all(
        abs(money) < inf for money in (books.position("d", "X").realised, books.ledger("A").fees["USD"])
    )


def test_records_that_do_not_follow_are_refused_and_change_nothing():
    books = books_of(fill(quantity=2.0))
    before, entry = state(books), books.entry(fill(quantity=-1.0), 2)
    with pytest.raises(LedgerError, match=r"record 2 takes from lot 8, but \[1\] are open"):
        books.post(entry.position, LotMove([], (8, 1.0)), 2, 100.0)
    with pytest.raises(LedgerError, match="in X come to 2 by record 2, its position is 1: they must agree"):
        books.post(entry.position, LotMove(), 2, 100.0)
    with pytest.raises(LedgerError, match="come to 1 by record 2, its position is nan"):
        books.post(replace(entry.position, quantity=nan), entry.lots, 2, 100.0)
    assert before == state(books)


@pytest.mark.parametrize("seq", [7, 8])
def test_a_fill_is_told_by_a_later_record_than_the_last_lot(seq):
    books = Books()
    for number, quantity in ((3, 1.0), (8, 2.0)):
        books.apply(fill(quantity=quantity), number)
    with pytest.raises(LedgerError, match=f"record {seq} opens a lot after that of record 8$"):
        books.entry(fill(), seq)
    assert 4.0 == books.entry(fill(), 9).position.quantity


def test_lots_that_are_not_their_position_are_refused_in_a_sentence():
    with pytest.raises(LedgerError, match="the lots of d in X are 2, its position is 3: they must agree"):
        Books().put(Position("d", "X", 3.0, 1.0), [(1, 2.0, 1.0)])


def test_lots_may_be_off_their_position_by_rounding_and_by_no_more():
    books = Books()
    books.put(Position("d", "X", 1e6, 1.0), [(1, 1e6 * (1 + 0.9e-9), 1.0)])
    books.put(Position("d", "X", -1e6, 1.0), [(1, -1e6 * (1 + 0.9e-9), 1.0)])
    for wrong in (1.1e-9, -1.1e-9):
        with pytest.raises(LedgerError):
            books.put(Position("d", "X", 1e6, 1.0), [(1, 1e6 * (1 + wrong), 1.0)])
    with pytest.raises(LedgerError):
        books.put(Position("d", "X", 0.0), [(1, 1e-12, 1.0)])


# ---- what is held -----------------------------------------------------------------------------------
def test_books_keep_deployments_and_symbols_apart_and_mark_each_at_its_price():
    books = books_of(fill("Y", 1.0, 10.0), fill("X", 2.0), fill("X", -1.0, owner="e"))
    mine = Position("d", "X", 2.0, 100.0, unrealised=2.0, currency="USD", account_id="A")
    unknown = Position("d", "Y", 1.0, 10.0, unrealised=None, currency="USD", account_id="A")
    theirs = Position("e", "X", -1.0, 100.0, unrealised=-1.0, currency="USD", account_id="A")
    assert [mine, unknown] == books.of("d", {"X": 101.0}.get)
    assert [theirs] == books.of("e", {"X": 101.0}.get)
    assert [mine, unknown, theirs] == books.of_account("A", {"X": 101.0}.get)
    assert (2.0, -1.0) == (books.held("d", "X"), books.held("e", "X"))


def test_of_what_was_never_held_nothing_is_held():
    books = books_of(fill())
    assert (0.0, 0.0) == (books.held("d", "Y"), books.held("e", "X"))
    assert Position("e", "X") == books.position("e", "X")
    assert ((), [], []) == (books.lots("e", "X"), books.of("e", {}.get), books.of_account("B", {}.get))
    assert Ledger() == books.ledger("B")


def test_everything_is_in_the_order_of_its_names():
    books = books_of(*(fill(symbol, owner=owner) for owner in "ed" for symbol in "YX"))
    assert ["dX", "dY", "eX", "eY"] == [one.deployment_id + one.symbol for one in books.everything()]
    assert ["dX", "dY", "eX", "eY"] == [
        one.deployment_id + one.symbol for one in books.of_account("A", {}.get)
    ]
    assert ["dX", "dY", "eX", "eY"] == [ring.deployment_id + ring.symbol for ring in books.rings()]
    assert [LotRing("d", "X", [(4, 1.0, 100.0)])] == books.rings()[:1]


# ---- accounts ---------------------------------------------------------------------------------------
def test_a_ledger_follows_every_fill_of_its_account():
    books = books_of(fill(fee=1.0))
    assert {"USD": -1.0} == books.ledger("A").realised
    books.apply(fill(quantity=-1.0, price=103.0, fee=1.0), 2)
    books.apply(fill("Y", currency="EUR", fee=4.0), 3)
    books.apply(fill("Z", account="B", fee=9.0), 4)
    ledger = books.ledger("A")
    assert ({"EUR": -4.0, "USD": 1.0}, {"EUR": 4.0, "USD": 2.0}) == (ledger.realised, ledger.fees)
    assert [books.position("d", "Y")] == list(ledger.open)
    assert ledger is books.ledger("A")
    assert {"USD": -9.0} == books.ledger("B").realised


def test_accounts_are_those_that_hold_something_or_have_money():
    books = books_of(fill(account="B"), fill("Y", account="A"), fill("Y", -1.0, account="A"))
    books.put_settled(Settled("C", "USD", 4.0))
    books.put(Position("e", "X", 1.0, 1.0))  # of before accounts were kept
    assert ["A", "B", "C"] == books.accounts()


def test_positions_of_a_deployment_are_unmarked_and_by_symbol():
    books = books_of(fill("Y"), fill("X"), fill("Z", owner="e"))
    assert [books.position("d", "X"), books.position("d", "Y")] == books.of_deployment("d")
    assert [] == books.of_deployment("f")


def test_the_ledger_of_a_deployment_follows_its_own_fills_and_drops():
    books = books_of(fill("X", fee=1.0), fill("Y", fee=2.0), fill("X", owner="e", fee=4.0))
    ledger = books.ledger_of("d")
    assert ({"USD": -3.0}, {"USD": 3.0}) == (ledger.realised, ledger.fees)
    assert [books.position("d", "X"), books.position("d", "Y")] == list(ledger.open)
    assert ledger is books.ledger_of("d")
    books.apply(fill("X", -1.0, 105.0), 4)
    assert {"USD": 2.0} == books.ledger_of("d").realised
    books.drop_flat("d")
    assert {"USD": -2.0} == books.ledger_of("d").realised
    assert (Ledger(), {"USD": -4.0}) == (books.ledger_of("f"), books.ledger_of("e").realised)


def test_money_of_what_is_dropped_stays_with_its_account():
    books = books_of(
        fill("X", fee=1.0), fill("X", -1.0, 111.0, fee=1.0), fill("Y", fee=0.5), fill("Z", owner="e", fee=3.0)
    )
    before = books.ledger("A")
    books.drop_flat("d")
    assert ["Y", "Z"] == [one.symbol for one in books.everything()]
    assert [Settled("A", "USD", 9.0, 2.0)] == books.settled()
    assert before == books.ledger("A")
    assert Position("d", "X") == books.position("d", "X")
    books.drop_flat("d")
    assert [Settled("A", "USD", 9.0, 2.0)] == books.settled()


def test_dropping_the_last_position_leaves_no_trace_but_its_money():
    books = books_of(fill(), fill(quantity=-1.0, price=101.0), fill("Y", fee=1.0), fill("Y", -1.0, fee=1.0))
    books.drop_flat("d")
    assert ([], [], [Settled("A", "USD", -1.0, 2.0)]) == (
        list(books.everything()),
        books.rings(),
        books.settled(),
    )
    books.drop_flat("nobody")


def test_what_earned_nothing_leaves_nothing_at_all():
    books = books_of(fill(), fill(quantity=-1.0))
    books.drop_flat("d")
    assert [] == books.settled()
    assert vars(Books()) == vars(books)


def test_fees_without_profit_are_settled_and_so_is_profit_without_fees():
    books = books_of(fill(fee=5.0), fill(quantity=-1.0, price=105.0), fill("Y"), fill("Y", -1.0, 103.0))
    books.drop_flat("d")
    assert [Settled("A", "USD", 3.0, 5.0)] == books.settled()


def test_a_flat_position_that_goes_on_in_another_account_begins_anew_there():
    books = books_of(fill(), fill(quantity=-1.0, price=110.0))
    books.apply(fill(account="B", fee=1.0), 3)
    anew = Position("d", "X", 1.0, 100.0, -1.0, None, 1.0, "USD", 1.0, -1.0, -1.0, "B")
    assert anew == books.position("d", "X")
    assert [Settled("A", "USD", 10.0)] == books.settled()
    assert ({"USD": 10.0}, {"USD": -1.0}) == (books.ledger("A").realised, books.ledger("B").realised)
    assert [] == books.of_account("A", {}.get)


def test_a_flat_position_that_goes_on_live_begins_anew():
    books = books_of(fill(), fill(quantity=-1.0, price=110.0), fill(fee=1.0, live=True))
    anew = Position("d", "X", 1.0, 100.0, -1.0, None, 1.0, "USD", 1.0, -1.0, -1.0, "A", live=True)
    assert anew == books.position("d", "X")
    assert [Settled("A", "USD", 10.0)] == books.settled()
    assert "it is on paper for 'A', but d holds 1 X live for 'A': close that first" in books.refusal(
        fill(), 1.0
    )
    assert books.refusal(fill(live=True), 1.0) is None


def test_whoever_holds_nothing_or_holds_it_alike_has_no_conflict():
    books = books_of(fill(), fill("Y"), fill("Y", -1.0))
    assert books.conflict("d", "X", "A", live=False) is None
    assert books.conflict("d", "Y", "B", live=True) is None
    books.put(Position("d", "Z", 1.0, 1.0))  # of before accounts were kept
    assert books.conflict("d", "Z", "B", live=False) is None
    assert "holds 1 Z on paper for ''" in books.conflict("d", "Z", "B", live=True)


def test_a_flat_position_that_goes_on_in_another_currency_begins_anew_in_it():
    books = books_of(fill(), fill(quantity=-1.0, price=110.0))
    books.apply(fill(currency="EUR", fee=1.0), 3)
    assert ("EUR", -1.0) == (books.position("d", "X").currency, books.position("d", "X").realised)
    assert {"EUR": -1.0, "USD": 10.0} == books.ledger("A").realised


def test_what_is_held_keeps_its_currency_until_it_is_flat():
    books = books_of(fill(), fill(quantity=-3.0, price=110.0, currency="EUR"))
    assert ("USD", 10.0) == (books.position("d", "X").currency, books.position("d", "X").realised)
    assert [] == books.settled()


def test_a_position_of_before_accounts_and_currencies_were_kept_takes_those_of_its_next_fill():
    books = Books()
    books.put(Position("d", "X", 0.0, realised=7.0, fees=1.0, fifo_realised=7.0))
    books.put(Position("d", "Y", 1.0, 90.0, realised=5.0, fifo_realised=5.0))
    books.put(Position("d", "Z", 0.0, realised=1.0, currency="USD"))
    assert {"": 12.0, "USD": 1.0} == books.ledger("").realised
    assert Ledger() == books.ledger("A")
    books.apply(fill("X"), 1)
    books.apply(fill("Y", -1.0), 2)
    books.apply(fill("Z"), 3)
    assert {"": 15.0, "USD": 8.0} == books.ledger("A").realised
    assert (Ledger(), []) == (books.ledger(""), books.settled())


def test_a_flat_position_of_before_currencies_were_kept_takes_that_of_its_next_fill():
    books = Books()
    books.put(Position("d", "X", 0.0, realised=7.0, account_id="A"))
    books.apply(fill(), 1)
    assert ({"USD": 7.0}, []) == (books.ledger("A").realised, books.settled())


def test_settled_money_is_part_of_its_ledger():
    books = books_of(fill(fee=1.0))
    assert {"USD": -1.0} == books.ledger("A").realised
    books.put_settled(Settled("A", "EUR", 4.0, 1.0))
    books.put_settled(Settled("B", "USD", 2.0))
    assert {"EUR": 4.0, "USD": -1.0} == books.ledger("A").realised
    assert [Settled("A", "EUR", 4.0, 1.0), Settled("B", "USD", 2.0)] == books.settled()


# ---- from before lots were kept, and snapshots ------------------------------------------------------
def test_a_position_without_lots_becomes_one_at_its_average_price():
    books = Books()
    books.put(Position("d", "X", 3.0, 100.0, realised=8.0, unrealised=5.0))
    assert (Lot(0, 3.0, 100.0),) == books.lots("d", "X")
    assert Position("d", "X", 3.0, 100.0, realised=8.0) == books.position("d", "X")
    books.put(Position("d", "X", 0.0, realised=9.0))
    assert () == books.lots("d", "X")


def test_a_record_of_before_lots_were_kept_makes_both_ways_of_cost_agree():
    books = books_of(fill(quantity=2.0))
    books.post(Position("d", "X", 1.0, 100.0, realised=8.0, account_id="A", currency="USD"), None, 2, 108.0)
    assert (Lot(0, 1.0, 100.0),) == books.lots("d", "X")
    assert 8.0 == books.position("d", "X").fifo_realised
    flat = books.apply(fill(quantity=-1.0, price=101.0), 3).position
    assert (9.0, 9.0) == (flat.realised, flat.fifo_realised)


def test_a_snapshot_brings_everything_back():
    books = books_of(fill(quantity=2.0), fill(quantity=-1.0, price=103.0), fill("Y"), fill("Y", -1.0, 101.0))
    books.drop_flat("d")
    rings = {(ring.deployment_id, ring.symbol): ring.lots for ring in books.rings()}
    again = Books()
    for position in books.everything():
        again.put(position, rings[position.deployment_id, position.symbol])
    for settled in books.settled():
        again.put_settled(settled)
    assert state(books) == state(again)
    assert books.ledger("A") == again.ledger("A")


def test_lots_are_read_back_as_they_were_written():
    ring = LotRing("d", "X", [Lot(1, 2.0, 100.0)])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ring), type=LotRing) == ring
