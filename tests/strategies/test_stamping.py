"""Signals tied to their cause, and what is no signal told to its author by name."""

from __future__ import annotations

import numpy as np
import pytest

from bus.messages import (
    Signal,
    Tick,
    Ticks,
)
from strategies.outputs import Fault
from strategies.stamping import tick_key
from tests.strategies.market import (
    MINUTE,
    T0,
    Quiet,
    buy,
    candle,
    closed,
    running,
    ticks,
)


def test_a_candles_signal_is_tied_to_the_candle():
    class Buyer(Quiet):
        def on_candle_complete(self, timeframe, candle, data):
            return buy()

    [signal] = running(Buyer()).handle(closed(candle(0, close=5.0)))
    at = T0 + MINUTE
    assert (signal.timeframe, signal.data_key, signal.data_as_of) == ("1m", at, at)
    assert (signal.generated_at, signal.reference_price, signal.number) == (at, 5.0, 1)


def test_a_ticks_signal_is_tied_to_its_sequence_or_else_to_its_time():
    class Buyer(Quiet):
        def on_tick(self, data):
            return [buy()]

    host = running(Buyer())
    [numbered] = host.handle(Ticks(1, 1, [Tick("A", T0 + 5, last=2.0, seq=77)]))
    [bare] = host.handle(Ticks(1, 2, [Tick("A", T0 + 6, last=2.5)]))
    assert (numbered.timeframe, numbered.data_key, numbered.data_as_of) == ("tick", T0 + 77, T0 + 5)
    assert (bare.data_key, bare.reference_price, bare.number) == (T0 + 6, 2.5, 2)


def test_ticks_of_one_millisecond_have_keys_of_their_own_and_a_restarted_publisher_repeats_none():
    of_one_moment = {tick_key(Tick("A", T0, seq=seq)) for seq in range(1000)}
    assert len(of_one_moment) == 1000
    assert tick_key(Tick("A", T0, seq=1)) != tick_key(Tick("A", T0 + 10**9, seq=1))
    assert tick_key(Tick("A", T0 + 999)) == T0 + 999


def test_an_author_cannot_stamp_a_signal():
    class Forger(Quiet):
        def on_tick(self, data):
            return buy(number=99, data_key=1, timeframe="1d", generated_at=1, reference_price=1e9)

    [signal] = running(Forger()).handle(ticks(2.0))
    assert (signal.number, signal.data_key, signal.timeframe) == (1, tick_key(Tick("A", T0, seq=1)), "tick")
    assert (signal.generated_at, signal.reference_price) == (T0, 2.0)


def test_numpy_numbers_are_numbers_and_an_indicator_that_is_not_warm_is_none():
    class Numpy(Quiet):
        def on_tick(self, data):
            return buy(quantity=np.float64(2), indicators={"a": np.float32(1.5), "b": float("nan")})

    [signal] = running(Numpy()).handle(ticks(2.0))
    assert (signal.quantity, signal.indicators) == (2.0, {"a": 1.5, "b": None})


def faulty(returned) -> tuple[list[Signal], Fault]:
    class Faulty(Quiet):
        def on_tick(self, data):
            return returned

    updates = []
    host = running(Faulty(), update=updates.append)
    signals = host.handle(ticks(1.0))
    assert host.errors == 1
    [fault] = updates
    return signals, fault


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (True, "BadResult: Faulty.on_tick returned bool True: a Signal, a sequence of them or None"),
        ("buy", "Faulty.on_tick returned str 'buy': a Signal, a sequence of them or None"),
        ({"intent": "buy"}, "Faulty.on_tick returned dict: a Signal"),
        ([buy(), 3], "Faulty.on_tick returned a sequence with int 3 in it, not a Signal"),
        (buy("AA"), "Faulty.on_tick: symbol 'AA' is not this deployment's; did you mean 'A'?"),
        (buy(quantity=-1), "Faulty.on_tick: quantity=-1: Expected `float` > 0.0"),
        (buy(quantity=float("nan")), "Faulty.on_tick: quantity=nan: Expected `float` > 0.0"),
        (buy(intent="buy"), "Faulty.on_tick: intent='buy': Invalid enum value 'buy'"),
        (buy(quantity=object()), "Faulty.on_tick: a object is no value of a signal"),
        (buy(tags={str(n): "x" * 200 for n in range(100)}), "bytes, at most 8,192: fewer tags"),
        ([buy()] * 1001, "Faulty.on_tick returned 1001 signals, at most 1000"),
    ],
)
def test_what_is_no_signal_is_an_error_that_names_class_and_value(returned, message):
    signals, fault = faulty(returned)
    assert signals == []
    assert message in fault.error


def test_one_bad_signal_drops_its_whole_answer_and_takes_no_number():
    class Mixed(Quiet):
        def on_tick(self, data):
            return [buy(), buy(quantity=-1)] if data.tick.last == 1.0 else [buy()]

    host = running(Mixed())
    assert host.handle(ticks(1.0)) == []
    assert [signal.number for signal in host.handle(ticks(2.0))] == [1]
