"""What a publisher keeps for who missed it: what it gives, in which order, and what it can no longer give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.feeds import shelf as shelves
from bus.feeds.recovery import PIECE, Answer, Question
from bus.feeds.shelf import OVERHEAD, Shelf


def put(shelf, symbol, seq, size=0):
    shelf.put(f"tick.{symbol}".encode(), f"{symbol}{seq}".encode().ljust(size, b"."), symbol, seq)


def filled(*ticks, capacity=2**20):
    shelf = Shelf(capacity)
    for text in ticks:
        put(shelf, text[0], int(text[1:]))
    return shelf


def given_out(answer):
    return [payload.decode().rstrip(".") for _, payload in answer.messages]


def all_of(shelf, have, limit=1000):
    """Ask as an engine does: the positions move on with what was given."""
    found, have, cursor, more = [], dict(have), 0, True
    while more:
        answer = shelf.answer(Question(have, limit, cursor))
        assert len(answer.messages) <= limit
        for text in given_out(answer):
            have[text[0]] = max(have.get(text[0], -1), int(text[1:]))
        found += given_out(answer)
        more, cursor = answer.more, answer.cursor
    return found


def test_what_the_asker_has_not_is_given_in_the_order_of_publication():
    shelf = filled("X1", "Y1", "X2", "Y2", "Y3", "X3")
    assert given_out(shelf.answer(Question({"X": 1, "Y": 2}))) == ["X2", "Y3", "X3"]


def test_of_a_symbol_that_is_not_named_everything_held_is_given():
    assert given_out(filled("X1", "Y1", "X2").answer(Question({"X": 2}))) == ["Y1"]


def test_who_has_everything_is_given_nothing():
    assert filled("X1", "X2").answer(Question({"X": 2})) == Answer(False, [], [], 3)
    assert Shelf().answer(Question({"X": 2})) == Answer(False, [], [], 1)


def test_a_batch_of_which_one_tick_is_missing_is_given_whole():
    shelf = Shelf()
    shelf.put(b"ticks.X", b"X5", "X", 1, 5)
    shelf.put(b"ticks.X", b"X9", "X", 6, 9)
    assert given_out(shelf.answer(Question({"X": 3}))) == ["X5", "X9"]
    assert given_out(shelf.answer(Question({"X": 5}))) == ["X9"]


def test_bars_after_the_first_missing_tick_are_given_and_those_before_it_are_not():
    shelf = Shelf()
    shelf.put(b"bar.X.1m", b"b1", "X")
    put(shelf, "X", 1)
    shelf.put(b"bar.X.1m", b"b2", "X")
    put(shelf, "X", 2)
    shelf.put(b"bar.X.1m", b"b3", "X")
    assert given_out(shelf.answer(Question({"X": 1}))) == ["X2", "b3"]
    assert given_out(shelf.answer(Question({"X": 2}))) == []


def test_bars_where_a_piece_ends_are_neither_lost_nor_given_twice():
    shelf = Shelf()
    for seq in range(1, 6):
        put(shelf, "X", seq)
        shelf.put(b"bar.X.1m", b"b%d" % seq, "X")
        shelf.put(b"bar.Y.1m", b"c%d" % seq, "Y")
    whole = given_out(shelf.answer(Question({})))
    for limit in range(1, 16):
        assert all_of(shelf, {}, limit) == whole


def test_what_no_longer_fits_goes_oldest_first_and_is_named_as_lost():
    shelf = filled(*[f"X{n}" for n in range(1, 11)], "Y1", capacity=4 * (OVERHEAD + 4))
    assert shelf.size <= 4 * (OVERHEAD + 4)
    answer = shelf.answer(Question({"X": 3, "Y": 0}))
    assert (given_out(answer), answer.lost) == (["X8", "X9", "X10", "Y1"], ["X"])
    assert shelf.answer(Question({"X": 7})).lost == []


def test_a_symbol_of_which_nothing_is_held_any_more_comes_back_with_its_next_tick():
    shelf = filled("Y1", "X1", "X2", capacity=2 * (OVERHEAD + 2))
    put(shelf, "Y", 2)
    assert given_out(shelf.answer(Question({"Y": 1, "X": 1}))) == ["X2", "Y2"]


def test_one_message_is_kept_however_large_it_is():
    shelf = filled("X1", "X2", capacity=1)
    assert (len(shelf), given_out(shelf.answer(Question({})))) == (1, ["X2"])


def test_a_new_count_replaces_the_old_one():
    shelf = filled("X7", "Y1", "X8", "X1", "X2")
    assert given_out(shelf.answer(Question({"X": 0, "Y": 1}))) == ["X1", "X2"]
    assert given_out(shelf.answer(Question({"X": 8, "Y": 1}))) == []


def test_a_piece_is_bounded_in_bytes_but_for_one_message_that_is_longer():
    shelf = Shelf()
    for seq in range(1, 4):
        put(shelf, "X", seq, PIECE // 2 + 1)
    answer = shelf.answer(Question({}))
    assert (given_out(answer), answer.more) == (["X1"], True)
    assert given_out(shelf.answer(Question({"X": 1}, cursor=answer.cursor))) == ["X2"]


def test_what_one_question_looks_at_is_bounded_and_the_next_goes_on_behind(monkeypatch):
    monkeypatch.setattr(shelves, "SCAN", 3)
    shelf = filled("Y1", *[f"X{n}" for n in range(1, 8)], "Y2")
    first = shelf.answer(Question({"X": 7}))
    assert (given_out(first), first.more, first.cursor) == (["Y1"], True, 4)
    assert all_of(shelf, {"X": 7}) == ["Y1", "Y2"]


def test_a_cursor_that_was_dropped_meanwhile_begins_with_what_is_still_missing():
    shelf = filled("X1", "X2", "X3", capacity=3 * (OVERHEAD + 2))
    first = shelf.answer(Question({}, 1))
    for seq in range(4, 8):
        put(shelf, "X", seq)
    answer = shelf.answer(Question({"X": 1}, cursor=first.cursor))
    assert (given_out(answer), answer.lost) == (["X5", "X6", "X7"], ["X"])


def test_long_use_takes_no_more_than_was_granted(monkeypatch):
    monkeypatch.setattr(shelves, "_SHRINK", 8)
    shelf = Shelf(50 * (OVERHEAD + 10))
    for seq in range(1, 2001):
        put(shelf, "XYZ"[seq % 3], seq)
    assert len(shelf) <= 51
    assert len(shelf._kept) <= 2 * 51 + 8
    assert given_out(shelf.answer(Question(dict.fromkeys("XYZ", 1995)))) == [
        "Y1996",
        "Z1997",
        "X1998",
        "Y1999",
        "Z2000",
    ]


published = st.lists(st.sampled_from("XYZ"), max_size=60)


@given(
    published,
    st.dictionaries(st.sampled_from("XYZ"), st.integers(0, 25)),
    st.integers(1, 70),
    st.integers(1, 30),
)
def test_piece_by_piece_the_asker_gets_what_is_held_and_above_what_it_has(order, have, limit, fits):
    shelf, seqs, every = Shelf(fits * (OVERHEAD + 3)), {}, []
    for symbol in order:
        seqs[symbol] = seqs.get(symbol, 0) + 1
        put(shelf, symbol, seqs[symbol], 3)
        every.append(f"{symbol}{seqs[symbol]}")
    expected = [text for text in every[-fits:] if int(text[1:]) > have.get(text[0], -1)]
    assert all_of(shelf, have, limit) == expected
