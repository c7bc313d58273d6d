"""One strategy driven through events: order, pause, stop, and what may come when."""

from __future__ import annotations

import pytest

from bus.messages import (
    Pause,
    Position,
    Pulse,
    Resume,
    Signal,
    Stop,
    Welcome,
)
from strategies import StopReason
from strategies.errors import OutOfTurn
from strategies.host import Host
from strategies.phases import NEXT, Phase
from tests.strategies.market import (
    MINUTE,
    T0,
    Quiet,
    Recorder,
    buy,
    candle,
    closed,
    config,
    running,
    since,
    ticks,
)


# ---- order -----------------------------------------------------------------------------------------
def test_a_life_calls_everything_once_and_in_order():
    host = running(Recorder())
    host.handle(ticks(5.0))
    host.handle(Pause("lunch"))
    host.handle(Resume())
    host.handle(Stop("bye"))
    assert [call[0] for call in host.strategy.calls] == [
        "initialize",
        "start",
        "tick",
        "pause",
        "resume",
        "stop",
        "cleanup",
    ]
    assert host.phase is Phase.STOPPED


def test_all_that_closed_at_an_instant_is_seen_by_all_in_ascending_timeframe():
    host = running(Recorder())
    for n in range(4):
        host.handle(closed(candle(n)))
    host.strategy.calls.clear()
    host.handle(closed(candle(0, timeframe="5m"), candle(4)))
    at, seen = T0 + 5 * MINUTE, {"1m": 5, "5m": 1}
    assert [call for call in host.strategy.calls if call[0] == "candle"] == [
        ("candle", "1m", "A", at, seen),
        ("candle", "5m", "A", at, seen),
    ]


def test_warm_up_goes_by_close_time_then_timeframe_then_symbol_and_on_start_comes_after():
    past = (
        candle(0, timeframe="5m", symbol="B"),
        candle(4, symbol="B"),
        candle(4, symbol="A"),
        candle(3, symbol="B"),
    )
    host = running(Recorder(), warmup=past)
    before, last = T0 + 4 * MINUTE, T0 + 5 * MINUTE
    assert host.strategy.calls == [
        ("initialize",),
        ("warmup", "1m", "B", before),
        ("warmup", "1m", "A", last),
        ("warmup", "1m", "B", last),
        ("warmup", "5m", "B", last),
        ("start", last, False),
    ]


def test_event_time_never_runs_backwards_and_a_candle_still_sees_its_own_instant():
    host = running(Recorder())
    host.handle(ticks(1.0, start=T0 + 3 * MINUTE))
    host.strategy.calls.clear()
    host.handle(closed(candle(0)))
    assert host.strategy.calls[0][3] == T0 + MINUTE
    assert host.now == T0 + 3 * MINUTE


def test_a_boundary_waits_for_every_symbol():
    host = running(Recorder())
    host.handle(closed(candle(0, symbol="A")))
    assert [call[0] for call in since(host, "start")] == ["candle"]
    host.handle(closed(candle(0, symbol="B")))
    assert since(host, "start")[-1] == ("boundary", T0 + MINUTE, [("A", "1m"), ("B", "1m")])


def test_a_boundary_waits_no_longer_than_its_grace_and_shows_who_is_missing():
    host = running(Recorder())
    host.handle(closed(candle(0, symbol="A")))
    host.handle(Pulse(1, T0 + MINUTE + 999_999_999, {}))
    assert [call[0] for call in since(host, "start")] == ["candle"]
    host.handle(Pulse(1, T0 + MINUTE + 1_000_000_000, {}))
    assert since(host, "start")[-1] == ("boundary", T0 + MINUTE, [("A", "1m")])


def test_a_strategy_without_on_tick_is_not_called_for_ticks_but_sees_them():
    class Candles(Quiet):
        def on_candle_complete(self, timeframe, candle, data):
            self.tick = data.tick

    calls = []
    host = running(Candles(), on_call=calls.append)
    host.handle(ticks(7.0))
    assert calls == ["initialize", "on_start"]
    host.handle(closed(candle(0)))
    assert host.strategy.tick.last == 7.0
    assert host.market.ticks == 1


def test_partial_candles_are_not_delivered_and_incomplete_ones_only_into_history():
    host = running(Recorder())
    host.handle(closed(candle(0, partial=True)))
    host.handle(closed(candle(1, quality="incomplete")))
    host.handle(closed(candle(2)))
    assert [call[4] for call in since(host, "start") if call[0] == "candle"] == [{"1m": 2, "5m": 0}]
    assert host.market.withheld == 2


def test_a_candle_delivered_twice_is_handled_once():
    host = running(Recorder())
    host.handle(closed(candle(0)))
    host.handle(closed(candle(0)))
    assert [call[0] for call in since(host, "start")].count("candle") == 1


# ---- barred ----------------------------------------------------------------------------------------
class Eager(Quiet):
    """Buys, and sells, on every candle and at the stop."""

    def on_candle_complete(self, timeframe, candle, data):
        return [buy(), Signal(symbol="A", intent="exit_long", reason="out")]

    def on_stop(self, reason):
        return [Signal(symbol="A", intent="exit_all", reason="stop")]


def intents(signals: list[Signal]) -> list[str]:
    return [signal.intent for signal in signals]


def test_signals_of_warm_up_are_dropped_without_a_trace_but_state():
    host = running(Eager(), warmup=(candle(0),))
    assert intents(host.handle(closed(candle(1)))) == ["enter_long", "exit_long"]


def test_signals_while_paused_are_dropped_and_counted():
    host = running(Eager())
    host.handle(Pause("operator"))
    assert host.handle(closed(candle(0))) == []
    assert host.dropped == {"paused": 2}
    host.handle(Resume())
    assert len(host.handle(closed(candle(1)))) == 2


def test_an_exit_only_pause_lets_exits_through():
    host = running(Eager())
    host.handle(Pause("risk", exit_only=True))
    assert intents(host.handle(closed(candle(0)))) == ["exit_long"]
    assert host.dropped == {"paused": 1}


@pytest.mark.parametrize(("ask", "expected"), [(True, ["exit_all"]), (False, [])])
def test_signals_of_on_stop_count_only_if_asked_for(ask, expected):
    host = running(Eager())
    assert intents(host.handle(Stop("operator", ask=ask))) == expected
    assert host.dropped == ({} if ask else {"stopping": 1})


def test_the_reason_of_a_stop_is_handed_on():
    host = running(Recorder())
    host.handle(Stop("maintenance", ask=True))
    assert ("stop", "maintenance", True) in host.strategy.calls
    assert str(StopReason("maintenance")) == "maintenance"


# ---- phases ----------------------------------------------------------------------------------------
def test_an_event_out_of_turn_is_refused_and_nothing_happens():
    host = Host(Recorder(), config())
    with pytest.raises(OutOfTurn, match="Ticks in phase created"):
        host.handle(ticks(1.0))
    host.initialize()
    with pytest.raises(OutOfTurn, match="initialize in phase ready"):
        host.initialize()
    with pytest.raises(OutOfTurn, match="Candles in phase ready"):
        host.handle(closed(candle(0)))
    assert host.strategy.calls == [("initialize",)]


@pytest.mark.parametrize("paused", [False, True])
def test_a_second_welcome_brings_what_is_held_and_starts_nothing(paused):
    """The engine died with a fill unsaid, and is back."""
    strategy = Recorder()
    host = running(strategy)
    if paused:
        host.handle(Pause("lunch"))
    phase, calls = host.phase, list(strategy.calls)
    assert [] == host.handle(Welcome(2, T0, positions=[Position("d", "A", 2.0, 1.5)]))
    assert (phase, calls) == (host.phase, strategy.calls)
    assert (2.0, 1.5) == (host.ctx.position("A").quantity, host.ctx.position("A").average_price)
    host.handle(Welcome(3, T0, positions=[Position("d", "A")]))
    assert 0.0 == host.ctx.position("A").quantity


def test_anything_after_the_stop_is_refused():
    host = running(Recorder())
    host.handle(Stop("bye"))
    with pytest.raises(OutOfTurn, match="Stop in phase stopped"):
        host.handle(Stop("again"))


def test_every_phase_but_the_last_can_be_stopped_and_only_known_phases_follow():
    assert {phase for phase, row in NEXT.items() if Stop in row} == set(Phase) - {Phase.STOPPED}
    assert {to for row in NEXT.values() for to in row.values()} <= set(Phase)
    assert NEXT[Phase.STOPPED] == {}


def test_pausing_twice_and_resuming_twice_call_once():
    host = running(Recorder())
    for event in (Pause("a"), Pause("b"), Resume(), Resume()):
        host.handle(event)
    assert [call[0] for call in since(host, "start")] == ["pause", "resume"]


def test_a_stop_before_the_welcome_cleans_up_and_asks_nothing():
    host = Host(Recorder(), config())
    host.initialize()
    host.handle(Stop("operator"))
    assert host.strategy.calls == [("initialize",), ("cleanup",)]


def test_cleanup_is_called_though_everything_before_it_raised():
    class Broken(Recorder):
        def on_stop(self, reason):
            raise ValueError("one")

        def save_state(self):
            raise ValueError("two")

    updates = []
    host = running(Broken(), errors_in_a_row=1, update=updates.append)
    host.handle(Stop("bye"))
    assert host.strategy.calls[-1] == ("cleanup",)
    assert [update.callback for update in updates] == ["on_stop", "save_state"]


# ---- determinism -----------------------------------------------------------------------------------
def test_the_same_events_and_seed_give_the_same_signals_twice():
    class Chancer(Quiet):
        def on_tick(self, data):
            return buy(quantity=self.ctx.rng.random() + 0.1) if self.ctx.rng.random() < 0.5 else None

    def live(seed):
        host = running(Chancer(), seed=seed)
        return host.handle(ticks(*[float(n + 1) for n in range(50)]))

    assert live(1) == live(1)
    assert live(1) != live(2)
