"""The reference strategy against the reference backtest, and each of its rules by itself."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime

import pytest

from bus.messages import Candle, Parameters
from bus.timeframes import DAY
from strategies.errors import ParametersInvalid
from strategies.plugins import BUILT_IN, inspect
from strategies.testing import Bench, Trade
from tests.shared import SHARED, needs_shared

FOLDER = BUILT_IN / "moving_average_crossover"
DOWN = [20.0 - n for n in range(12)]
UP = [9.0 + 2 * n for n in range(8)]
PERIODS = {"fast_period": 5, "slow_period": 10}


def nanos(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def bench(timeframes=("1m",), **parameters) -> Bench:
    return Bench.of(FOLDER, timeframes=timeframes, parameters={**PERIODS, **parameters}, fill=True)


def google() -> list[Candle]:
    with (SHARED / "data" / "backtesting_py" / "backtesting__test__GOOG.csv").open() as file:
        rows = [[nanos(row[0]), *map(float, row[1:])] for row in list(csv.reader(file))[1:]]
    return [Candle("GOOG", "1d", at, at + DAY, *prices) for at, *prices in rows]


@needs_shared("expected", "backtests")
def test_entries_and_exits_on_google_daily_equal_the_reference_trade_list():
    path = SHARED / "expected" / "backtests" / "GOOG_1d__sma_cross_10_30__c0.0.json"
    reference = json.loads(path.read_text())["fixed_size"]["backtesting_py"]
    expected = [
        Trade(nanos(time), "GOOG", signed, price, reason)
        for entry, paid, exit_, got, size, *_ in reference["trades"]
        for time, price, signed, reason in (
            (entry, paid, size, "cross_above"),
            (exit_, got, -size, "cross_below"),
        )
    ]
    expected += [
        Trade(nanos(at), "GOOG", size, price, "cross_above")
        for at, price, size in reference["open_positions"]
    ]
    parameters = {"fast_period": 10, "slow_period": 30, "ma_type": "SMA", "quantity": 10}
    run = Bench.of(FOLDER, symbols=["GOOG"], timeframes=["1d"], parameters=parameters, fill=True)
    for candle in google():
        run.candle(candle)
    assert len(expected) == 2 * 32 + 1
    assert run.trades == expected


@needs_shared("data", "backtesting_py")
def test_a_restart_in_the_middle_changes_no_signal():
    candles = google()
    parameters = {"fast_period": 10, "slow_period": 30, "quantity": 10}
    whole = Bench.of(FOLDER, symbols=["GOOG"], timeframes=["1d"], parameters=parameters)
    for candle in candles:
        whole.candle(candle)
    warmup = inspect(FOLDER).warmup
    again = Bench.of(
        FOLDER, symbols=["GOOG"], timeframes=["1d"], parameters=parameters, warmup=candles[500 - warmup : 500]
    )
    for candle in candles[500:]:
        again.candle(candle)
    late = [signal for signal in whole.signals if signal.data_key > candles[499].close_time]
    assert [(s.intent, s.data_key) for s in again.signals] == [(s.intent, s.data_key) for s in late]
    assert len(late) > 10


def test_it_enters_above_and_exits_below():
    run = bench()
    assert run.candles("1m", DOWN) == []
    [entry] = run.candles("1m", UP)
    assert (entry.intent, entry.quantity, entry.reason.code) == ("enter_long", 1.0, "cross_above")
    assert entry.indicators["fast"] > entry.indicators["slow"]
    [exit_] = run.candles("1m", [2.0] * 6)
    assert (exit_.intent, exit_.quantity, exit_.reason.code) == ("exit_long", None, "cross_below")


def test_a_cross_is_strict_in_one_candle_so_touching_on_the_way_is_none():
    """As the reference has it: after 1, 1 both averages are 13.0, so no candle goes from above to below."""
    run = bench()
    run.candles("1m", [*DOWN, *UP])
    assert run.candles("1m", [1.0] * 6) == []


def test_a_market_that_does_not_move_crosses_nothing():
    assert bench().candles("1m", [5.0] * 40) == []


def test_exponential_averages_cross_at_another_candle():
    def entries(kind):
        return [s.data_key for s in bench(ma_type=kind).candles("1m", waves)]

    waves = [100 + 10 * math.sin(n / 9) + n % 5 for n in range(150)]
    assert len(entries("SMA")) > 3
    assert len(entries("EMA")) > 3
    assert entries("SMA") != entries("EMA")


def test_it_does_not_exit_what_it_does_not_hold():
    run = Bench.of(FOLDER, parameters=PERIODS)  # nobody fills, nobody accepts
    assert [s.intent for s in run.candles("1m", [*DOWN, *UP, *[1.0] * 6])] == ["enter_long"]


def confirmed(trend: list[float]) -> list[str]:
    """Intents of a cross on 1m after ``trend`` closed on 1h."""
    run = bench(("1h", "1m"), confirmation_timeframe="60m")
    run.candles("1h", trend)
    start = run.host.now
    for n, close in enumerate([*DOWN, *UP]):
        at = start + n * 60 * 10**9
        run.candle(Candle("TEST", "1m", at, at + 60 * 10**9, close, close, close, close, 1.0))
    return [signal.intent for signal in run.signals]


def test_a_rising_higher_timeframe_confirms_an_entry():
    assert confirmed([float(n) for n in range(1, 15)]) == ["enter_long"]


@pytest.mark.parametrize("trend", [[float(20 - n) for n in range(14)], [1.0, 2.0], []])
def test_a_falling_or_unknown_one_does_not(trend):
    assert confirmed(trend) == []


def test_where_both_close_together_the_confirmation_is_already_known():
    run = bench(("1m", "1h"), confirmation_timeframe="1h")
    run.candles("1h", [1.0] * 9)
    hour, minute = 3600 * 10**9, 60 * 10**9
    start = run.host.now
    closes = [*DOWN, *UP][:17]
    for n, close in enumerate(closes):
        end = start + hour - (len(closes) - 1 - n) * minute
        last = n == len(closes) - 1
        small = Candle("TEST", "1m", end - minute, end, close, close, close, close, 1.0)
        large = Candle("TEST", "1h", start, end, 50.0, 50.0, 50.0, 50.0, 1.0)
        signals = run.candle(small, large) if last else run.candle(small)
    assert [signal.intent for signal in signals] == ["enter_long"]


def test_a_confirmation_that_is_not_subscribed_is_refused_with_what_to_do():
    with pytest.raises(
        ValueError, match=r"'1h' is not among the deployment's timeframes \(1m\): add --timeframe 1h"
    ):
        bench(confirmation_timeframe="1h")
    with pytest.raises(ValueError, match="a timeframe to trade on is needed besides"):
        bench(("1h",), confirmation_timeframe="1h")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fast_period": 50, "slow_period": 10}, "fast_period < slow_period does not hold"),
        ({"fast_period": 4}, "fast_period: 4: expected a whole number from 5 to 50 candles"),
        ({"slow_period": 201}, "slow_period: 201: expected a whole number from 10 to 200 candles"),
        ({"ma_type": "WMA"}, "ma_type: 'WMA': expected one of 'SMA', 'EMA'"),
        ({"quantity": 0}, "quantity: 0: expected a number above 0"),
    ],
)
def test_its_parameters_are_checked(parameters, message):
    with pytest.raises(ParametersInvalid, match=message):
        inspect(FOLDER).schema.effective(parameters)


def test_a_new_quantity_counts_from_the_next_entry():
    run = bench()
    run.send(Parameters({**run.host.ctx.params, "quantity": 7.0}))
    [entry] = run.candles("1m", [*DOWN, *UP])
    assert entry.quantity == 7.0


def test_symbols_are_followed_apart():
    run = Bench.of(FOLDER, symbols=["A", "B"], parameters=PERIODS, fill=True)
    for a, b in zip([*DOWN, *UP], [5.0] * 20, strict=True):
        run.candles("1m", [a], "A")
        run.candles("1m", [b], "B")
    assert [(s.symbol, s.intent) for s in run.signals] == [("A", "enter_long")]
    assert set(run.strategy.inspect()) == {"A", "B"}
