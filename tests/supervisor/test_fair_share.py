"""A room that is shared fairly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.fair_share import fair_level


@given(st.lists(st.integers(0, 50)), st.integers(0, 500))
def test_a_fair_level_is_the_highest_that_fits(demands, room):
    level = fair_level(demands, room)
    assert sum(min(level, demand) for demand in demands) <= room
    if any(demand > level for demand in demands):
        assert sum(min(level + 1, demand) for demand in demands) > room


def test_who_wants_little_gets_it_and_the_rest_is_shared():
    assert 4 == fair_level([1, 9, 9, 2], 11)
    assert 9 == fair_level([1, 9, 2], 12), "all of it fits"
    assert 0 == fair_level([], 5)
