"""``on_session``: asked for by who defines it, told a phase and a day, once; its signals are their own."""

from __future__ import annotations

from datetime import date

import pytest

from bus.messages import Schedule, TakeCheckpoint, TimerFired, Welcome
from bus.session_phases import WISH, Phase
from strategies.errors import StrategyError
from strategies.host import Host
from strategies.outputs import Saved
from strategies.testing import Bench
from tests.strategies.market import T0, Quiet, buy, config


class Days(Quiet):
    def on_session(self, phase, day):
        self.ctx.kv.setdefault("told", []).append(f"{phase} {day.isoformat()}")
        assert isinstance(day, date)
        return buy(tags={"phase": phase})


def begun(kind=Days, **welcome) -> tuple[Host, list]:
    said: list = []
    host = Host(kind(), config(), update=said.append, errors_in_a_row=1)
    host.initialize()
    host.handle(Welcome(1, T0, **welcome))
    return host, said


def fired(at: int, day: str, rank: int) -> TimerFired:
    return TimerFired(Phase(at, day, rank).timer, at)


def test_only_who_defines_it_asks_for_it():
    assert [Schedule(WISH, 0)] == begun()[1]
    assert [] == begun(Quiet)[1]


def test_a_phase_is_told_with_its_day_and_moves_the_time():
    host, _ = begun()
    [signal] = host.handle(fired(T0 + 5, "2024-07-02", 1))
    assert ["open 2024-07-02"] == host.ctx.kv["told"]
    assert ("session", T0 + 5, T0 + 5) == (signal.timeframe, signal.data_as_of, host.now)


def test_two_phases_of_one_instant_cause_signals_of_their_own():
    host, _ = begun()
    [close] = host.handle(fired(T0 + 5, "2024-07-02", 3))
    [opens] = host.handle(fired(T0 + 5, "2024-07-03", 1))
    assert close.data_key != opens.data_key


def test_what_was_told_before_a_checkpoint_is_not_told_again_behind_it():
    host, said = begun()
    host.handle(fired(T0 + 5, "2024-07-02", 0))
    host.handle(fired(T0 + 6, "2024-07-02", 1))
    host.handle(TakeCheckpoint())
    state = next(one for one in said if isinstance(one, Saved)).state
    again, _ = begun(state=state, recovered=True, resumes=True)
    assert [] == again.handle(fired(T0 + 6, "2024-07-02", 1))
    again.handle(fired(T0 + 7, "2024-07-02", 2))
    assert ["pre_open 2024-07-02", "open 2024-07-02", "pre_close 2024-07-02"] == again.ctx.kv["told"]


def test_a_timer_of_such_a_name_cannot_be_set():
    host, _ = begun()
    with pytest.raises(StrategyError, match="names that begin with 'stratd:' are not a strategy's"):
        host.ctx.schedule("stratd:session:open:2024-07-02", at=T0 + 5)


def test_a_bench_tells_phases():
    bench = Bench.of(Days, symbols=("A",))
    [signal] = bench.session("pre_close", date(2024, 7, 2))
    assert {"phase": "pre_close"} == signal.tags
    assert ["pre_close 2024-07-02"] == bench.strategy.ctx.kv["told"]
