"""Feeds that are lost, or back: a feed that nobody has heard yet is given a moment."""

from __future__ import annotations

from supervisor.control import FeedTurned
from supervisor.engine.turning import PATIENCE, Turning

LOST = FeedTurned("main", healthy=False, detail="nothing usable received yet", symbols=["X"])
BACK = FeedTurned("main", healthy=True, detail="healthy", symbols=["X"])


def opened() -> tuple[Turning, list[FeedTurned]]:
    told: list[FeedTurned] = []
    turning = Turning(told.append)
    turning.opened("main", 0)
    return turning, told


def test_a_new_engine_does_not_take_a_feed_for_lost_that_it_has_not_heard_yet():
    turning, told = opened()
    turning.turned(LOST, 1, heard=False)
    turning.turned(BACK, 2, heard=True)
    turning.look(2 * PATIENCE)
    assert [BACK] == told


def test_a_feed_that_stays_silent_is_told_as_lost_once():
    turning, told = opened()
    turning.turned(LOST, 1, heard=False)
    turning.look(PATIENCE - 1)
    assert [] == told
    turning.look(PATIENCE)
    turning.look(PATIENCE + 1)
    assert [LOST] == told


def test_a_feed_that_was_heard_is_lost_at_once():
    turning, told = opened()
    turning.turned(BACK, 1, heard=True)
    turning.turned(LOST, 2, heard=True)
    assert [BACK, LOST] == told


def test_a_feed_that_came_and_went_before_anybody_said_so_is_lost():
    turning, told = opened()
    turning.turned(LOST, 1, heard=True)
    assert [LOST] == told


def test_what_is_closed_is_not_lost():
    turning, told = opened()
    turning.turned(LOST, 1, heard=False)
    turning.closed("main")
    turning.look(PATIENCE)
    assert [] == told
