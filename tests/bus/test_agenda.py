"""Which symbols are due, without looking at the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.agenda import NEVER, Agenda


class Symbol:
    """A symbol whose instants a test sets; ``asked`` counts how often somebody looked."""

    def __init__(self, symbol: str, close: int = NEVER, wall: int = NEVER) -> None:
        self.symbol = symbol
        self.next_close = close
        self.wall = wall
        self.asked = 0

    def next_wall(self) -> int:
        self.asked += 1
        return self.wall


def test_a_symbol_is_due_by_the_watermark_or_by_the_timer_and_once() -> None:
    agenda = Agenda()
    for one in (Symbol("A", 10, 15), Symbol("B", 20, 25), Symbol("C", 30, 12)):
        agenda.note(one)
    assert ["A", "C"] == [one.symbol for one in agenda.take(watermark=11, now=13)]
    assert [] == agenda.take(watermark=11, now=13)


def test_a_symbol_that_moved_on_by_itself_is_not_due_and_not_lost() -> None:
    agenda, one = Agenda(), Symbol("A", 10, 15)
    agenda.note(one)
    one.next_close, one.wall = 110, 115
    assert [] == agenda.take(100, 100)
    assert (110, 115) == (agenda.next_close, agenda.next_wall)
    assert [one] == agenda.take(110, 100)


def test_an_instant_that_came_nearer_counts_once_it_is_noted() -> None:
    agenda, one = Agenda(), Symbol("A", 100, 115)
    agenda.note(one)
    one.next_close = 10
    agenda.note(one)
    assert [one] == agenda.take(10, 0)
    one.next_close = 200
    agenda.note(one)
    assert [] == agenda.take(150, 0)  # the first note, of 100, is void


def test_a_symbol_that_goes_by_another_clock_is_forgotten() -> None:
    agenda, one = Agenda(), Symbol("A", 10, 15)
    agenda.note(one)
    agenda.drop("A")
    assert [] == agenda.take(1000, 1000)


def test_quiet_symbols_are_not_looked_at() -> None:
    agenda = Agenda()
    quiet = [Symbol(f"Q{n}", 1000 + n, 2000 + n) for n in range(1000)]
    for one in quiet:
        agenda.note(one)
    before = sum(one.asked for one in quiet)
    for now in range(1000):
        agenda.take(now, now)
    assert before == sum(one.asked for one in quiet)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 50), st.integers(1, 50)), max_size=60))
def test_nobody_who_is_due_is_ever_left_out(moves: list[tuple[int, int, int]]) -> None:
    """Whatever moves on silently or comes nearer with a word: what is due is what a full look would find."""
    agenda, symbols, now = Agenda(), [Symbol(f"S{n}") for n in range(5)], 0
    for which, close, wall in moves:
        one = symbols[which]
        earlier = now + close < one.next_close or now + wall < one.wall
        one.next_close, one.wall = now + close, now + wall
        if earlier:
            agenda.note(one)
        now += 5
        expected = {s.symbol for s in symbols if s.next_close <= now or s.wall <= now}
        due = agenda.take(now, now)
        assert expected == {s.symbol for s in due}
        for s in due:
            s.next_close = s.wall = now + 20
            agenda.note(s)  # type: ignore[arg-type]
