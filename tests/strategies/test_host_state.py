"""Checkpoints, restarts, fills and verdicts, through the host."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from bus.messages import (
    Acked,
    FeedStatus,
    Fill,
    Filled,
    OrderChanged,
    OrderUpdate,
    Parameters,
    Pause,
    Position,
    Pulse,
    Reason,
    Schedule,
    SignalAck,
    TakeCheckpoint,
    TimerFired,
    Welcome,
)
from strategies import StateIncompatible, StrategyConfig
from strategies.errors import StateCorrupt
from strategies.host import Host
from strategies.outputs import LogLine, Recorded, Saved
from strategies.phases import Phase
from tests.strategies.market import (
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


# ---- state -----------------------------------------------------------------------------------------
class Counter(Quiet):
    state_version = 3

    def __init__(self) -> None:
        self.count = 0
        self.loaded = None

    def on_candle_complete(self, timeframe, candle, data):
        self.count += 1
        self.ctx.kv["seen"] = self.count

    def on_start(self, ctx, recovered):
        self.recovered = recovered

    def save_state(self):
        return {"count": self.count, "closes": np.arange(3.0)}

    def load_state(self, state, version):
        self.loaded = (state["count"], list(state["closes"]), version)
        self.count = state["count"]


def checkpoint(host: Host, updates: list) -> Saved:
    host.handle(TakeCheckpoint())
    return next(update for update in reversed(updates) if isinstance(update, Saved))


def restarted(strategy, saved: bytes, version: int = 3, **options) -> Host:
    host = Host(strategy, config(), **options)
    host.initialize()
    host.handle(Welcome(1, T0, state=saved, state_version=version, recovered=True))
    return host


def welcomed(strategy, saved: bytes, candles: list, sink: list | None = None) -> Host:
    host = Host(strategy, config(), update=(sink if sink is not None else []).append)
    host.initialize()
    host.handle(Welcome(1, T0, warmup=candles, state=saved, state_version=3, recovered=True))
    return host


def saved_after(strategy, count: int) -> bytes:
    updates: list = []
    host = running(strategy, update=updates.append)
    for number in range(count):
        host.handle(closed(candle(number)))
    return checkpoint(host, updates).state


def test_a_candle_that_the_checkpoint_holds_is_not_counted_twice() -> None:
    """Three before the checkpoint, two while it was away: five, as if nothing had happened."""
    strategy = Counter()
    host = welcomed(strategy, saved_after(Counter(), 3), [candle(number) for number in range(5)])
    assert 3 == strategy.count
    assert 3 == len(host.ctx._data.history("1m", 10))
    host.handle(Pulse(1, T0, {}))
    assert 5 == strategy.count
    assert 5 == len(host.ctx._data.history("1m", 10))
    host.handle(Pulse(1, T0, {}))
    host.handle(closed(candle(4)))
    assert 5 == strategy.count


class Stateless(Quiet):
    """Keeps nothing: what it knows, it knows from the warm-up."""

    def __init__(self) -> None:
        self.seen: list = []

    def on_candle_complete(self, timeframe, candle, data):
        self.seen.append(candle.open_time)
        return buy()


def test_a_strategy_without_state_is_warmed_up_by_all_of_the_past() -> None:
    strategy = Stateless()
    past = [candle(number) for number in range(5)]
    host = welcomed(strategy, saved_after(Stateless(), 3), past)
    assert [one.open_time for one in past[:3]] == strategy.seen
    signals = host.handle(Pulse(1, T0, {}))
    assert [one.open_time for one in past] == strategy.seen
    # Signals of what it missed count: the gate knows by their keys and their age what to do with them.
    assert [one.close_time for one in past[3:]] == [signal.data_key for signal in signals]


def test_what_was_missed_before_a_pause_is_seen_and_barred() -> None:
    strategy = Stateless()
    host = welcomed(strategy, saved_after(Stateless(), 1), [candle(0), candle(1)])
    host.handle(Pause("lunch"))
    assert [] == host.handle(Pulse(1, T0, {}))
    assert {"paused": 1} == host.dropped


def test_a_restart_has_state_map_and_the_next_random_number():
    updates = []
    host = running(Counter(), update=updates.append, seed=7)
    host.handle(closed(candle(0)))
    host.ctx.rng.random(3)
    saved = checkpoint(host, updates)
    assert saved.version == 3
    again = restarted(Counter(), saved.state, seed=7)
    assert again.strategy.loaded == (1, [0.0, 1.0, 2.0], 3)
    assert again.strategy.recovered is True
    assert again.ctx.kv == {"seen": 1}
    assert again.ctx.rng.random() == host.ctx.rng.random()


def test_state_that_cannot_be_kept_is_a_fault_and_the_old_checkpoint_stands():
    class Hoarder(Quiet):
        def save_state(self):
            return {"book": {"bids": {1, 2}}}

    updates = []
    running(Hoarder(), update=updates.append).handle(TakeCheckpoint())
    [fault] = updates
    assert fault.callback == "save_state"
    assert "state.book.bids is a set, which cannot be kept" in fault.error


def test_a_checkpoint_over_its_quota_is_a_fault_that_says_both_sizes():
    class Hoarder(Quiet):
        def save_state(self):
            return {"blob": b"x" * 2_000}

    updates = []
    running(Hoarder(), update=updates.append, checkpoint_bytes=1_000).handle(TakeCheckpoint())
    assert "bytes packed, at most 1,000 are kept" in updates[0].error


def test_state_is_loaded_after_a_planned_stop_as_well():
    updates = []
    saved = checkpoint(running(Counter(), update=updates.append), updates).state
    host = Host(Counter(), config())
    host.initialize()
    host.handle(Welcome(1, T0, state=saved, state_version=3, recovered=False))
    assert host.strategy.loaded == (0, [0.0, 1.0, 2.0], 3)
    assert host.strategy.recovered is False


@pytest.mark.parametrize("saved", [b"\xc1", b"\x80", b"garbage", b"\x81\xa5state\x01"])
def test_a_checkpoint_that_is_none_is_not_gone_on_with(saved):
    updates = []
    strategy = Counter()
    with pytest.raises(StateCorrupt, match="checkpoint"):
        restarted(strategy, saved, update=updates.append)
    assert strategy.loaded is None
    assert [update.callback for update in updates] == ["load_state"]


def test_without_a_checkpoint_a_start_is_a_start():
    updates = []
    host = restarted(Counter(), b"", update=updates.append)
    assert (host.strategy.loaded, host.ctx.kv, updates, host.phase) == (None, {}, [], Phase.RUNNING)


def test_a_strategy_may_refuse_old_state_and_then_starts_afresh():
    class Renewed(Counter):
        def load_state(self, state, version):
            raise StateIncompatible(f"state of version {version} is too old")

    updates = []
    saved = checkpoint(running(Counter(), update=updates.append), updates).state
    host = restarted(Renewed(), saved, version=1, update=updates.append)
    assert host.strategy.recovered is False
    assert "state of version 1 is too old" in updates[-1].error


def test_a_load_state_that_fails_half_way_is_not_gone_on_with():
    class Careless(Counter):
        def load_state(self, state, version):
            self.count = state["count"]
            raise KeyError("closes2")

    updates = []
    saved = checkpoint(running(Counter(), update=updates.append), updates).state
    with pytest.raises(StateIncompatible, match=r"Careless\.load_state: KeyError: 'closes2'"):
        restarted(Careless(), saved)


# ---- what became of signals ------------------------------------------------------------------------
def filled(
    quantity: float, held: float, *, at: int = T0, realised: float = 0.0, signal: str = "s1"
) -> Filled:
    fill = Fill("f", signal, "d1", "acc", "A", quantity, 10.0, 0.5, at)
    return Filled(fill, Position("d1", "A", held, 10.0 if held else 0.0, realised=realised, fees=0.5))


def test_a_fill_is_in_the_books_before_the_strategy_hears_of_it():
    host = running(Recorder())
    host.handle(filled(2.0, 2.0))
    assert since(host, "start") == [("fill", 2.0, 2.0, 2.0)]


def test_the_end_of_a_round_trip_follows_its_last_fill():
    host = running(Recorder())
    host.handle(filled(2.0, 2.0, realised=-0.5))
    host.handle(filled(-2.0, 0.0, at=T0 + 9, realised=6.0))
    name, trade = since(host, "start")[-1]
    assert name == "closed"
    assert (trade.quantity, trade.entry_price, trade.exit_price) == (2.0, 10.0, 10.0)
    assert (trade.realised, trade.opened_at, trade.closed_at) == (6.0, T0, T0 + 9)


def test_an_accepted_signal_is_an_open_order_until_its_fill():
    class InAndOut(Quiet):
        def on_candle_complete(self, timeframe, candle, data):
            return [buy(), buy(intent="exit_long")]

    host = running(InAndOut())
    host.handle(closed(candle(0)))
    for number, decision in ((1, "accepted"), (2, "rejected")):
        host.handle(Acked(SignalAck("k", decision, signal_id=f"s{number}", number=number)))
    [order] = host.ctx.open_orders()
    assert (order.signal_id, order.signal.intent) == ("s1", "enter_long")
    host.handle(filled(1.0, 1.0))
    assert host.ctx.open_orders() == ()


def with_an_order(strategy):
    host = running(strategy)
    host.handle(closed(candle(0)))
    host.handle(Acked(SignalAck("k", "accepted", signal_id="s1", number=1)))
    return host


def changed(status: str, **fields) -> OrderChanged:
    return OrderChanged(OrderUpdate(order_id="o", signal_id="s1", symbol="A", status=status, **fields))


class Asking(Quiet):
    """Asks once, and again when an order ends without its fill."""

    def on_candle_complete(self, timeframe, candle, data):
        return buy()

    def on_order_update(self, order):
        return buy(reason=order.status) if order.status == "expired" else None


def test_an_order_that_is_filled_in_part_stays_open():
    host = with_an_order(Asking())
    first = filled(1.0, 1.0)
    host.handle(replace(first, left=2.0))
    assert ["s1"] == [order.signal_id for order in host.ctx.open_orders()]
    host.handle(filled(2.0, 3.0))
    assert () == host.ctx.open_orders()


@pytest.mark.parametrize("status", ["cancelled", "rejected", "expired"])
def test_an_order_that_ended_without_its_fill_is_open_no_more(status):
    host = with_an_order(Asking())
    host.handle(changed("working"))
    assert 1 == len(host.ctx.open_orders())
    host.handle(changed(status, at=T0 + 5))
    assert () == host.ctx.open_orders()
    assert T0 + 5 <= host.ctx.now


def test_a_strategy_may_answer_what_became_of_its_order():
    host = with_an_order(Asking())
    [signal] = host.handle(changed("expired", at=T0 + 5))
    assert ("order", "expired", T0 + 5) == (signal.timeframe, signal.reason, signal.data_as_of)


def test_callbacks_for_verdicts_and_fills_that_nobody_wrote_are_not_named_but_the_books_are_kept():
    calls: list[str] = []
    host = running(Quiet(), on_call=calls.append)
    calls.clear()
    host.handle(Acked(SignalAck("k", "accepted", signal_id="s1", number=1)))
    host.handle(filled(1.0, 1.0))
    host.handle(filled(-1.0, 0.0, at=T0 + 1))
    assert [] == calls
    assert 0.0 == host.ctx.position("A").quantity

    class Closing(Quiet):
        def on_position_closed(self, trade):
            return None

    host = running(Closing(), on_call=calls.append)
    calls.clear()
    host.handle(filled(1.0, 1.0))
    host.handle(filled(-1.0, 0.0, at=T0 + 1))
    assert ["on_position_closed"] == calls


def test_verdicts_feeds_timers_and_parameters_reach_their_callbacks():
    host = running(Recorder(), config=config(parameters={"n": 1}))
    host.ctx._books.remember([buy(number=7)])
    host.handle(Acked(SignalAck("k", "rejected", "no_position", number=7)))
    host.handle(FeedStatus("main", "stale", T0))
    host.handle(TimerFired("poll", T0 + 5))
    host.handle(Parameters({"n": 2}))
    assert since(host, "start") == [
        ("ack", "rejected"),
        ("feed", "stale", True),
        ("timer", "poll", T0 + 5),
        ("parameters", {"n": 1}, {"n": 2}, {"n": 2}),
    ]
    assert host.now == T0 + 5


def test_positions_of_before_are_there_at_the_start():
    host = Host(Recorder(), config())
    host.initialize()
    host.handle(Welcome(1, T0, positions=[Position("d1", "A", 3.0, 5.0)]))
    assert host.ctx.position("A").quantity == 3.0
    assert host.ctx.position("B") == Position("d1", "B")


# ---- the context -----------------------------------------------------------------------------------
def test_what_the_context_is_told_comes_out_as_data_with_event_time():
    class Talker(Quiet):
        def on_tick(self, data):
            self.ctx.log.info("price %.1f", data.tick.last)
            self.ctx.record("spread", 2)
            self.ctx.schedule("poll", every=1.5)

    updates = []
    host = running(Talker(), update=updates.append)
    host.handle(ticks(4.0))
    assert updates == [
        LogLine("info", "price 4.0", T0),
        Recorded("spread", 2.0, T0),
        Schedule("poll", T0 + 1_500_000_000, 1_500_000_000),
    ]


def test_extra_time_is_decided_by_whoever_counts_it_and_granted_where_nobody_does():
    class Trainer(Quiet):
        def on_tick(self, data):
            self.granted = [self.ctx.request_time(3), self.ctx.request_time(timedelta(minutes=2))]

    asked = []
    host = running(Trainer(), more_time=lambda seconds: asked.append(seconds) or seconds < 60)
    host.handle(ticks(4.0))
    assert (asked, host.strategy.granted) == ([3.0, 120.0], [True, False])
    free = running(Trainer())
    free.handle(ticks(4.0))
    assert free.strategy.granted == [True, True]


def test_a_strategy_gets_the_reason_object_as_it_gave_it():
    class Reasoned(Quiet):
        def on_tick(self, data):
            return [buy(reason="plain"), buy(reason=Reason("code", "text"), leg="b")]

    first, second = running(Reasoned()).handle(ticks(1.0))
    assert (first.reason, second.reason) == ("plain", Reason("code", "text"))


def test_a_config_does_not_change_under_its_strategy():
    symbols = ["A"]
    made = StrategyConfig(
        strategy_id="x", account_id="y", trading_mode="paper", symbols=symbols, timeframes=["60m", "1m"]
    )
    symbols.append("B")
    assert (made.symbols, made.timeframes) == (("A",), ("1m", "1h"))
