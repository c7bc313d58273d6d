"""The bench that authors test with: it must not be kinder than the daemon."""

from __future__ import annotations

import pytest

from bus.messages import Signal
from strategies.errors import ParametersInvalid, StrategyError, TooManyErrors
from strategies.plugins import BUILT_IN
from strategies.testing import START, Bench, Trade
from tests.strategies.market import Quiet


class Flipper(Quiet):
    """In on an odd candle, out on an even one."""

    n = 0

    def on_candle_complete(self, timeframe, candle, data):
        self.n += 1
        intent = "enter_short" if self.n % 2 else "exit_short"
        return Signal(symbol=candle.symbol, intent=intent, quantity=2 if self.n % 2 else None, reason="flip")


def test_a_signal_fills_whole_at_the_open_of_the_next_candle():
    bench = Bench.of(Flipper, fill=True)
    bench.candles("1m", [(1.0, 9.0, 1.0, 2.0), (3.0, 9.0, 3.0, 4.0), (5.0, 9.0, 5.0, 6.0)])
    minute = 60 * 10**9
    assert bench.trades == [
        Trade(START + minute, "TEST", -2.0, 3.0, "flip"),
        Trade(START + 2 * minute, "TEST", 2.0, 5.0, "flip"),
    ]
    assert bench.host.ctx.position("TEST").quantity == 0.0


def test_what_a_strategy_raises_fails_its_test():
    class Broken(Quiet):
        def on_candle_complete(self, timeframe, candle, data):
            raise KeyError("x")

    with pytest.raises(TooManyErrors, match="KeyError: 'x'"):
        Bench.of(Broken).candles("1m", [1.0])


def test_a_folder_is_checked_like_the_daemon_checks_it(tmp_path):
    with pytest.raises(ParametersInvalid, match="fast_perod: unknown parameter"):
        Bench.of(BUILT_IN / "moving_average_crossover", parameters={"fast_perod": 5})
    with pytest.raises(StrategyError, match=r"config\.json: is missing"):
        Bench.of(tmp_path)


def test_ticks_and_logs_are_kept():
    class Talker(Quiet):
        def on_tick(self, data):
            self.ctx.log.warning("saw %s", data.tick.last)
            return Signal(symbol=data.symbol, intent="exit_all", reason="x")

    bench = Bench.of(Talker, symbols=["A", "B"])
    assert [signal.symbol for signal in bench.tick(2.0, "B")] == ["B"]
    assert bench.logs == ["warning: saw 2.0"]


def test_an_order_that_the_bench_cannot_fill_is_refused_not_ignored():
    class Weights(Quiet):
        def on_candle_complete(self, timeframe, candle, data):
            return Signal(symbol=candle.symbol, intent="target", target_weight=0.5, reason="x")

    with pytest.raises(StrategyError, match="fills entries with a quantity, and exits; not target"):
        Bench.of(Weights, fill=True).candles("1m", [1.0, 2.0])


def test_commands_and_inspect_answer_as_they_would_in_a_cell():
    class Biased(Quiet):
        bias = 0.0

        def on_command(self, name, payload):
            self.bias = payload["bias"]
            return (self.bias,)

        def inspect(self):
            return {"bias": self.bias}

    bench = Bench.of(Biased)
    assert [1.5] == bench.command("set", {"bias": 1.5})
    assert {"bias": 1.5} == bench.inspect()
    with pytest.raises(StrategyError, match="KeyError: 'bias'"):
        bench.command("set", {})
