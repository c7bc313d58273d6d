"""The synthetic market is repeatable, well-formed, and turns often enough to be worth trading."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Tick, encode
from bus.synthetic import DEFAULT_INSTRUMENTS, SECOND, Instrument, Quiet, market

START = 1_700_000_000 * SECOND


def until(seconds, ticks):
    return list(itertools.takewhile(lambda tick: tick.ts < START + seconds * SECOND, ticks))


def crossings(closes, fast, slow):
    above = [
        sum(closes[end - fast : end]) / fast > sum(closes[end - slow : end]) / slow
        for end in range(slow, len(closes) + 1)
    ]
    return sum(before != after for before, after in itertools.pairwise(above))


def test_the_same_arguments_give_the_same_ticks():
    first, second = (market(seed=7, start=START, rate=50) for _ in range(2))
    assert list(itertools.islice(first, 2000)) == list(itertools.islice(second, 2000))


def test_another_seed_gives_other_ticks():
    first, second = (market(seed=seed, start=START, rate=50) for seed in (1, 2))
    assert list(itertools.islice(first, 20)) != list(itertools.islice(second, 20))


def test_a_symbol_more_changes_no_tick_of_the_others():
    alone = until(5, market(seed=7, start=START, rate=50, instruments=["A"]))
    beside = until(5, market(seed=7, start=START, rate=50, instruments=["B", "A"]))
    assert alone == [tick for tick in beside if tick.symbol == "A"]


@given(seed=st.integers(0, 10_000), rate=st.floats(1, 5000))
@settings(max_examples=30, deadline=None)
def test_every_tick_is_one_that_a_feed_would_let_pass(seed, rate):
    ticks = list(itertools.islice(market(seed=seed, start=START, rate=rate), 500))
    decode = msgspec.msgpack.Decoder(Tick).decode
    assert ticks == [decode(encode(tick)) for tick in ticks]  # the constraints stand in the type
    assert all(tick.bid < tick.ask and tick.last in (tick.bid, tick.ask) for tick in ticks)
    assert [tick.ts for tick in ticks] == sorted(tick.ts for tick in ticks)
    for instrument in DEFAULT_INSTRUMENTS:
        seqs = [tick.seq for tick in ticks if tick.symbol == instrument.symbol]
        assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("seed", range(20))
def test_moving_averages_cross_on_every_symbol_within_forty_seconds(seed):
    closes = {}
    for tick in until(40, market(seed=seed, start=START, rate=20)):
        closes.setdefault(tick.symbol, {})[tick.ts // SECOND] = tick.last
    for symbol, by_second in closes.items():
        assert crossings(list(by_second.values()), 5, 10) >= 2, symbol


@pytest.mark.parametrize("instrument", DEFAULT_INSTRUMENTS, ids=lambda one: one.symbol)
def test_prices_stand_on_the_grid_of_the_instrument_and_stay_near_where_they_began(instrument):
    for tick in until(1800, market(seed=3, start=START, rate=2, instruments=[instrument])):
        for price in (tick.bid, tick.ask):
            steps = price / instrument.tick_size
            assert steps == pytest.approx(round(steps), abs=1e-4)
            assert 0.85 < price / instrument.price < 1.15


def test_the_rate_is_per_symbol():
    ticks = until(60, market(seed=3, start=START, rate=100, instruments=["A", "B"]))
    assert 60 * 200 == pytest.approx(len(ticks), rel=0.05)


def test_a_quiet_symbol_is_silent_without_a_gap_in_its_sequence():
    quiet = [Quiet(begin=2, end=5, symbol="A")]
    ticks = until(8, market(seed=3, start=START, rate=50, instruments=["A", "B"], quiet=quiet))
    silent = [tick for tick in ticks if 2 <= (tick.ts - START) / SECOND < 5]
    assert {"B"} == {tick.symbol for tick in silent}
    seqs = [tick.seq for tick in ticks if tick.symbol == "A"]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_quiet_time_without_a_symbol_silences_all():
    ticks = until(6, market(seed=3, start=START, rate=50, quiet=[Quiet(begin=1, end=3)]))
    assert [] == [tick for tick in ticks if 1 <= (tick.ts - START) / SECOND < 3]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_is_not_positive_is_refused(rate):
    with pytest.raises(ValueError, match="is not a positive number of ticks a second"):
        market(seed=1, start=START, rate=rate)


def test_a_symbol_named_twice_is_refused():
    with pytest.raises(ValueError, match="a symbol is named twice"):
        market(seed=1, start=START, rate=1, instruments=["A", Instrument("A")])
