"""The wall around an author's code: what raises is counted, told, and sometimes too much."""

from __future__ import annotations

import pytest

from strategies.errors import TooManyErrors
from strategies.host import Host
from tests.strategies.market import (
    MINUTE,
    T0,
    Quiet,
    buy,
    config,
    running,
    ticks,
)


class Raiser(Quiet):
    def on_tick(self, data):
        if data.tick.last < 0.5:
            raise KeyError("no such thing")
        return buy()


def test_an_exception_is_told_with_the_authors_frames_and_the_next_tick_goes_on():
    updates = []
    host = running(Raiser(), update=updates.append)
    assert len(host.handle(ticks(0.1, 1.0))) == 1
    [fault] = updates
    assert (fault.callback, fault.error, fault.at) == ("on_tick", "KeyError: 'no such thing'", T0)
    assert "test_wall.py" in fault.traceback
    assert "strategies/wall.py" not in fault.traceback


def test_errors_in_a_row_end_it_and_one_success_begins_the_count_anew():
    host = running(Raiser(), errors_in_a_row=3)
    host.handle(ticks(0.1, 0.1, 1.0, 0.1, 0.1))
    with pytest.raises(TooManyErrors, match="3 callbacks in a row raised; the last in on_tick: KeyError"):
        host.handle(ticks(0.1))


def test_errors_in_a_minute_of_event_time_end_it_though_others_succeed():
    host = running(Raiser(), errors_per_minute=3)
    host.handle(ticks(0.1, 1.0, 0.1, 1.0))
    with pytest.raises(TooManyErrors, match="3 errors within a minute"):
        host.handle(ticks(0.1, start=T0 + MINUTE - 1))
    patient = running(Raiser(), errors_per_minute=3)
    patient.handle(ticks(0.1, 1.0, 0.1, 1.0))
    patient.handle(ticks(0.1, start=T0 + MINUTE + 5))
    assert patient.errors == 3


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_exits_and_memory_errors_go_through_the_wall_and_the_callback_is_still_named(error):
    class Exits(Quiet):
        def on_tick(self, data):
            raise error

    host = running(Exits())
    with pytest.raises(type(error)):
        host.handle(ticks(1.0))
    assert host.current == "on_tick"


def test_an_error_that_cannot_even_be_printed_is_told_all_the_same():
    class Evil(Exception):
        def __str__(self):
            raise RuntimeError("no")

    class Strategy(Quiet):
        def on_tick(self, data):
            raise Evil

    updates = []
    running(Strategy(), update=updates.append).handle(ticks(1.0))
    assert "Evil" in updates[0].error


def test_a_traceback_without_end_is_cut():
    class Deep(Quiet):
        def on_tick(self, data):
            raise ValueError("x" * 10**6)

    updates = []
    running(Deep(), update=updates.append).handle(ticks(1.0))
    assert len(updates[0].traceback) <= 8192
    assert len(updates[0].error) <= 1024
    assert "characters cut" in updates[0].traceback


def test_a_watchdog_is_told_each_callback_before_it_runs_and_since_when():
    class Watched(Quiet):
        def on_tick(self, data):
            self.seen = (host.current, host.started)

    calls, clock = [], iter(range(100, 200))
    host = running(Watched(), on_call=calls.append, monotonic=lambda: next(clock))
    host.handle(ticks(1.0))
    assert calls == ["initialize", "on_start", "on_tick"]
    assert host.strategy.seen == ("on_tick", 102)
    assert host.current == ""


def test_initialize_refuses_by_raising_and_the_error_comes_out_as_it_is():
    class Picky(Quiet):
        def initialize(self, config):
            raise ValueError("needs two symbols")

    with pytest.raises(ValueError, match="needs two symbols"):
        Host(Picky(), config()).initialize()
