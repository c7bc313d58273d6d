"""What is remembered of one symbol, and that all of it is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.feeds.symbols import Symbols
from bus.feeds.track import DUPLICATE, MAX_IDS, MAX_MISSING, RESTARTED, Track
from tests.bus.feeding import SECOND, T0


def test_numbers_in_order_miss_nothing():
    track = Track("X")
    assert [track.follow(seq, T0) for seq in (500, 501, 502)] == [0, 0, 0]


def test_a_jump_tells_how_many_are_missing_and_they_may_come_late_once():
    track = Track("X")
    track.advance(T0, traded=True)
    assert [track.follow(seq, T0) for seq in (1, 4, 2, 2, 3, 4, 5)] == [0, 2, 0, DUPLICATE, 0, DUPLICATE, 0]


def test_a_lower_number_with_a_newer_time_is_a_publisher_that_counts_again():
    track = Track("X")
    track.follow(1000, T0)
    track.advance(T0, traded=True)
    assert track.follow(1, T0) == DUPLICATE
    assert track.follow(1, T0 + 1) == RESTARTED
    assert track.follow(2, T0 + 2) == 0


@given(st.permutations(range(1, 20)))
def test_every_order_of_arrival_delivers_each_number_at_most_once(order):
    track = Track("X")
    track.advance(T0, traded=True)
    taken = [seq for seq in order if track.follow(seq, T0) >= 0]
    assert len(taken) == len(set(taken))
    assert set(taken) >= {seq for seq in order if seq >= order[0]}


@given(st.lists(st.integers(0, 2**63), max_size=200))
def test_memory_of_missing_numbers_is_bounded(numbers):
    track = Track("X")
    for seq in numbers:
        track.follow(seq, T0)
        assert len(track._missing) <= MAX_MISSING


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 50)), max_size=200))
def test_an_id_is_known_for_as_long_as_its_repetition_would_be_in_order(trades):
    track, delivered, reorder = Track("X"), {}, SECOND
    ts = T0
    for step, name in trades:
        ts += step
        track.advance(ts, traded=True)
        track.remember(str(name), reorder)
        delivered[str(name)] = ts
        assert all(track.knows(known) for known, at in delivered.items() if at >= ts - reorder)


def test_memory_of_trade_ids_is_bounded_in_number_and_in_time():
    track = Track("X")
    track.advance(T0, traded=True)
    for n in range(5 * MAX_IDS):
        track.remember(str(n), SECOND)
    assert len(track._ids) + len(track._old_ids) <= 2 * MAX_IDS
    for later in (2, 4):
        track.advance(T0 + later * SECOND, traded=True)
        track.remember(f"later{later}", SECOND)
    assert len(track._ids) + len(track._old_ids) == 2


def test_symbols_are_the_same_track_until_their_venue_differs():
    symbols = Symbols("main", venue_suffix=True)
    assert symbols.track("X", "A") is symbols.track("X", "A")
    assert (symbols.track("X", "A").symbol, symbols.track("X", "B").symbol) == ("X.A", "X.B")
    assert len(symbols) == 2
