"""What a strategy sees: closed candles only, never of the future, and arrays that stay as they were."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, FeedStatus, Tick
from strategies.data import MultiTimeframeData, Series
from strategies.errors import NoSuchHistory
from tests.strategies.market import MINUTE, T0, candle


def view(**changes) -> MultiTimeframeData:
    data = MultiTimeframeData(**{"symbols": ["A", "B"], "timeframes": ["5m", "1m"], **changes})
    data.as_of = T0 + 10**18
    return data


def filled(count: int, **changes) -> MultiTimeframeData:
    data = view(**changes)
    for n in range(count):
        data.add_candle(candle(n, close=float(n + 1)))
    return data


def test_history_is_oldest_first_and_ends_with_the_newest_closed_candle():
    assert list(filled(5).history("1m", 3)["close"]) == [3.0, 4.0, 5.0]


def test_history_is_shorter_while_fewer_candles_have_closed():
    assert len(filled(2).history("1m", 20)) == 2
    assert len(view().history("1m", 20)) == 0


def test_history_holds_every_field_of_the_candle():
    data = view()
    data.add_candle(candle(0, open=1.0, high=4.0, low=0.5, close=2.0, volume=7.0, trades=3, turnover=9.0))
    row = data.history("1m", 1)[0]
    assert {name: row[name].item() for name in row.dtype.names} == {
        "open_time": T0,
        "close_time": T0 + MINUTE,
        "open": 1.0,
        "high": 4.0,
        "low": 0.5,
        "close": 2.0,
        "volume": 7.0,
        "trades": 3,
        "turnover": 9.0,
        "synthetic": False,
        "incomplete": False,
    }


def test_history_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        filled(3).history("1m", 3)["close"][0] = 9.0


@given(capacity=st.integers(1, 7), count=st.integers(0, 60), kept=st.integers(1, 7))
def test_a_view_once_given_never_changes_however_many_candles_follow(capacity, count, kept):
    series, seen = Series(capacity), []
    for n in range(count):
        assert series.append(candle(n, close=float(n + 1)))
        window = series.window(min(kept, capacity), T0 + 10**18)
        seen.append((window, [float(m + 1) for m in range(n + 1)][-min(kept, capacity) :]))
    for window, expected in seen:
        assert list(window["close"]) == expected


def test_more_candles_than_are_kept_are_refused_at_once_and_by_number():
    with pytest.raises(NoSuchHistory, match="history of 11 candles: 1 to 10 are kept"):
        view(capacity=10).history("1m", 11)
    with pytest.raises(NoSuchHistory, match="history of 0 candles"):
        view(capacity=10).history("1m", 0)


@pytest.mark.parametrize(
    ("timeframe", "symbol", "message"),
    [
        ("7m", None, "timeframe '7m' is not subscribed; known: 1m, 5m"),
        ("1m", "AA", "symbol 'AA' is not subscribed; did you mean 'A'"),
        ("soon", None, "timeframe 'soon': allowed is"),
    ],
)
def test_what_is_not_subscribed_is_refused_by_name(timeframe, symbol, message):
    with pytest.raises(NoSuchHistory, match=message):
        view().history(timeframe, 1, symbol)


def test_a_timeframe_may_be_asked_for_by_any_of_its_names():
    data = view(timeframes=["60m"])
    data.add_candle(candle(0, timeframe="1h"))
    assert len(data.history("60m", 1)) == len(data.history("1h", 1)) == 1


def test_a_candle_is_seen_from_its_close_time_on_and_not_before():
    data = filled(3)
    data.as_of = T0 + 2 * MINUTE
    assert list(data.history("1m", 9)["close"]) == [1.0, 2.0]
    assert data.last("1m") == candle(1, close=2.0)
    data.as_of = T0
    assert len(data.history("1m", 9)) == 0
    assert data.last("1m") is None


def test_another_symbols_newer_candle_stays_out_of_sight():
    data = view()
    data.add_candle(candle(0, symbol="A"))
    data.add_candle(candle(0, symbol="B"))
    data.add_candle(candle(1, symbol="B"))
    data.as_of = T0 + MINUTE
    assert len(data.history("1m", 9, "B")) == 1


def test_a_candle_that_is_not_newer_is_not_taken():
    data = filled(2)
    assert data.add_candle(candle(1, close=99.0)) is False
    assert data.add_candle(candle(0, close=99.0)) is False
    assert data.add_candle(candle(0, symbol="C")) is False
    assert list(data.history("1m", 9)["close"]) == [1.0, 2.0]


def test_last_is_none_before_the_first_candle_and_quality_says_missing():
    assert view().last("1m") is None
    assert view().quality("1m") == "missing"


@pytest.mark.parametrize(
    ("changes", "quality"),
    [
        ({}, "ok"),
        ({"synthetic": True}, "synthetic"),
        ({"synthetic": True, "quality": "incomplete"}, "incomplete"),
    ],
)
def test_quality_is_the_worst_that_holds_of_the_newest_candle(changes, quality):
    data = view()
    data.add_candle(candle(0, **changes))
    assert data.quality("1m") == quality


# ---- the forming candle -----------------------------------------------------------------------------
def test_the_forming_candle_is_unknown_until_one_has_closed():
    data = view()
    data.add_tick(Tick("A", T0 + 1, last=1.0, size=1.0))
    assert data.forming("1m") is None


def test_the_forming_candle_folds_the_ticks_since_the_last_close():
    data = filled(1)
    for n, price in enumerate([5.0, 7.0, 4.0, 6.0]):
        data.add_tick(Tick("A", T0 + MINUTE + n, last=price, size=2.0))
    forming = data.forming("1m")
    assert (forming.open, forming.high, forming.low, forming.close) == (5.0, 7.0, 4.0, 6.0)
    assert (forming.volume, forming.trades, forming.closed) == (8.0, 4, False)
    assert (forming.open_time, forming.close_time) == (T0 + MINUTE, T0 + 2 * MINUTE)
    assert forming.as_of == T0 + MINUTE + 3


def test_the_forming_candle_never_appears_in_history():
    data = filled(1)
    data.add_tick(Tick("A", T0 + MINUTE, last=5.0, size=2.0))
    assert list(data.history("1m", 9)["close"]) == [1.0]
    assert data.last("1m").close == 1.0


def test_a_higher_forming_candle_folds_the_closed_lower_ones_and_the_ticks():
    data = view()
    data.add_candle(candle(0, timeframe="5m"))
    for n, (low, high) in enumerate([(2.0, 3.0), (1.5, 2.5)], start=5):
        data.add_candle(candle(n, open=low, high=high, low=low, close=high, volume=10.0))
    data.add_tick(Tick("A", T0 + 7 * MINUTE + 1, last=9.0, size=1.0))
    forming = data.forming("5m")
    assert (forming.open, forming.high, forming.low, forming.close) == (2.0, 9.0, 1.5, 9.0)
    assert (forming.volume, forming.trades, forming.open_time) == (21.0, 3, T0 + 5 * MINUTE)


def test_late_and_out_of_session_ticks_are_in_no_forming_candle():
    data = filled(1)
    for flags in (TICK_LATE, TICK_OUT_OF_SESSION):
        data.add_tick(Tick("A", T0 + MINUTE, last=99.0, flags=flags))
    assert data.forming("1m") is None
    assert data.tick.last == 99.0


def test_ticks_that_came_before_the_late_close_of_the_candle_before_them_stay():
    data = filled(1)
    data.add_tick(Tick("A", T0 + 2 * MINUTE - 1, last=3.0))
    data.add_tick(Tick("A", T0 + 2 * MINUTE + 1, last=4.0))
    data.add_candle(candle(1))
    assert data.forming("1m").open == 4.0


def test_the_kind_of_price_is_the_candles():
    data = view()
    data.add_candle(msgspec.structs.replace(candle(0), price_kind="bid"))
    data.add_tick(Tick("A", T0 + MINUTE, last=9.0, bid=5.0, ask=6.0))
    assert data.forming("1m").close == 5.0


def test_after_a_gap_the_forming_candle_lies_on_the_grid():
    data = filled(1)
    data.add_tick(Tick("A", T0 + 7 * MINUTE + 30, last=3.0))
    assert data.forming("1m").open_time == T0 + 7 * MINUTE


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(1, 1e6)), min_size=1, max_size=200), st.randoms())
def test_the_forming_candle_does_not_depend_on_the_order_of_arrival(trades, random):
    def forming(order):
        data = filled(1)
        for seq, (offset, price) in order:
            data.add_tick(Tick("A", T0 + MINUTE + offset, last=price, size=1.0, seq=seq))
        return data.forming("1m")

    numbered = list(enumerate(trades))
    shuffled = random.sample(numbered, len(numbered))
    assert forming(shuffled) == forming(numbered)
    last = max(numbered, key=lambda item: (item[1][0], item[0]))
    assert forming(numbered).close == last[1][1]


def test_many_ticks_are_folded_on_the_way_and_nothing_is_lost():
    data, prices = filled(1), [float(1 + n % 977) for n in range(5_000)]
    for n, price in enumerate(prices):
        data.add_tick(Tick("A", T0 + MINUTE + n, last=price, size=1.0, seq=n))
    forming = data.forming("1m")
    assert (forming.open, forming.high, forming.low) == (prices[0], max(prices), min(prices))
    assert (forming.close, forming.trades, forming.volume) == (prices[-1], 5_000, 5_000.0)


# ---- feeds and prices -------------------------------------------------------------------------------
def test_a_symbol_is_stale_from_the_first_bad_word_of_its_feed_to_the_good_one():
    data = view()
    assert data.is_stale("A") is False
    data.add_status(FeedStatus("main", "stale", 1, symbols=["A"]))
    assert (data.is_stale("A"), data.is_stale("B")) == (True, False)
    data.add_status(FeedStatus("main", "healthy", 2, symbols=["A"]))
    assert data.is_stale("A") is False


def test_a_status_without_symbols_is_about_all_of_them():
    data = view()
    data.add_status(FeedStatus("main", "disconnected", 1))
    assert (data.is_stale("A"), data.is_stale("B")) == (True, True)


def test_one_healthy_feed_does_not_hide_anothers_silence():
    data = view()
    data.add_status(FeedStatus("x", "stale", 1))
    data.add_status(FeedStatus("y", "healthy", 2))
    assert data.is_stale("A") is True


def test_the_price_is_the_later_of_tick_and_candle():
    data = filled(1)
    assert data.price("A") == 1.0
    data.add_tick(Tick("A", T0 + MINUTE, bid=4.0, ask=6.0))
    assert data.price("A") == 5.0
    data.add_candle(candle(1, close=7.0))
    assert data.price("A") == 7.0
    assert data.price("B") is None


def test_no_timeframes_are_allowed_for_a_strategy_of_ticks():
    data = MultiTimeframeData(["A"], [])
    data.add_tick(Tick("A", T0, last=2.0))
    assert data.price("A") == 2.0
    assert isinstance(data.tick, Tick)
    with pytest.raises(NoSuchHistory):
        data.history("1m", 1)


def test_turnover_that_is_unknown_is_nan():
    assert np.isnan(filled(1).history("1m", 1)["turnover"][0])
