"""When entries are let through: closed, open, half open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.routes.breaker import Breaker, failed, probing, state, well

NEW = Breaker(failures=3, cool_down=10.0)


def after(count: int, breaker: Breaker = NEW, now: float = 0.0) -> Breaker:
    for _ in range(count):
        breaker = failed(breaker, "down", now)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_an_answer_closes_it():
    assert ["closed", "closed", "open"] == [state(after(count), 0.0) for count in (1, 2, 3)]
    assert "closed" == state(after(2, well(after(2))), 0.0), "an answer in between begins the count anew"
    assert NEW == well(after(3))


def test_after_its_cool_down_one_may_try_and_no_second_one():
    open_ = after(3)
    assert ["open", "half_open"] == [state(open_, now) for now in (9.9, 10.0)]
    trying = probing(open_, 10.0)
    assert ["open", "half_open"] == [state(trying, now) for now in (19.9, 20.0)]
    assert open_ == probing(open_, 9.0), "not before"


def test_a_try_that_fails_opens_it_anew_and_failures_meanwhile_do_not_put_it_off():
    assert "half_open" == state(after(5, after(3), 5.0), 10.0)
    assert "open" == state(failed(after(3), "down", 10.0), 19.9)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=50))
def test_it_is_open_only_after_failures_in_a_row_and_never_for_longer_than_its_cool_down(happenings):
    breaker, now, row, last = NEW, 0.0, 0, 0.0
    for good, span in happenings:
        now += span
        breaker = well(breaker) if good else failed(breaker, "down", now)
        row, last = (0, last) if good else (row + 1, now)
        assert (row >= 3) == (state(breaker, now) != "closed")
        assert "open" != state(breaker, last + 10.0)
