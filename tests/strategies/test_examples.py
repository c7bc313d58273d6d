"""Every example runs: found, started, driven over a market, and it does what it says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bus.messages import Acked, SignalAck, TakeCheckpoint
from strategies.outputs import Saved
from strategies.plugins import Found, inspect, scan
from strategies.testing import Bench

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WAVE = [100 + 10 * math.sin(n / 7) for n in range(400)]


def test_every_example_is_a_sound_strategy_of_at_most_fifty_lines():
    catalogue = scan([EXAMPLES, EXAMPLES / "breakout.py", EXAMPLES / "pairs.py"], built_in=False)
    assert catalogue.broken == {}
    assert sorted(plugin.name for plugin in catalogue.found.values()) == [
        "breakout",
        "pairs",
        "rsi_reversion",
    ]
    for name in ("breakout.py", "pairs.py", "rsi_reversion/strategy.py"):
        assert len((EXAMPLES / name).read_text().splitlines()) <= 50


def test_breakout_buys_new_highs_only():
    bench = Bench.of(EXAMPLES / "breakout.py", parameters={"lookback": 5})
    signals = bench.candles("1m", [3.0, 2.0, 1.0, 2.0, 2.5, 3.5, 1.0])
    assert [(s.intent, s.quantity, s.reason, s.reference_price) for s in signals] == [
        ("enter_long", 1.0, "new high", 3.5)
    ]


def test_rsi_reversion_buys_low_sells_high_and_ends_flat_or_long():
    bench = Bench.of(EXAMPLES / "rsi_reversion", fill=True)
    bench.candles("1m", WAVE)
    sides = [trade.quantity for trade in bench.trades]
    assert len(sides) >= 6
    assert sides == [1.0 if n % 2 == 0 else -1.0 for n in range(len(sides))]
    assert all(
        buy.price < sell.price for buy, sell in zip(bench.trades[::2], bench.trades[1::2], strict=False)
    )


def test_rsi_reversion_does_not_buy_again_while_its_order_waits():
    bench = Bench.of(EXAMPLES / "rsi_reversion")
    falling = iter(range(200, 0, -1))
    while not bench.signals:
        bench.candles("1m", [float(next(falling))])
    [bought] = bench.signals
    bench.send(Acked(SignalAck("k", "accepted", signal_id="s", number=bought.number)))
    assert bench.candles("1m", [90.0, 80.0, 70.0]) == []


def test_rsi_reversion_remembers_its_rest_over_a_restart():
    bench = Bench.of(EXAMPLES / "rsi_reversion")
    bench.strategy.resting_until = 123
    bench.send(TakeCheckpoint())
    assert isinstance(bench.updates[-1], Saved)
    other = Bench.of(EXAMPLES / "rsi_reversion").strategy
    other.load_state(bench.strategy.save_state(), 1)
    assert other.resting_until == 123


def test_pairs_trades_both_symbols_or_neither():
    bench = Bench.of(
        EXAMPLES / "pairs.py", symbols=["AAA", "BBB"], parameters={"window": 20, "width": 2.0}, fill=True
    )
    for n in range(60):
        bench.candles("1m", [100 + (9 if 30 <= n < 33 else math.sin(n))], "AAA")
        bench.candles("1m", [100 + math.cos(n)], "BBB")
    [cheap, dear] = bench.signals[:2]
    assert {cheap.symbol, dear.symbol} == {"AAA", "BBB"}
    assert (dear.symbol, dear.intent, cheap.intent) == ("AAA", "enter_short", "enter_long")
    assert [s.intent for s in bench.signals[2:4]] == ["exit_all", "exit_all"]


def test_pairs_refuses_any_other_number_of_symbols():
    with pytest.raises(ValueError, match="pairs trades two symbols, not 1"):
        Bench.of(EXAMPLES / "pairs.py", parameters={"window": 20, "width": 2.0})


def test_a_folder_example_says_what_it_needs():
    found = inspect(EXAMPLES / "rsi_reversion")
    assert isinstance(found, Found)
    assert found.schema.effective({})["cool_down"] == 300.0
