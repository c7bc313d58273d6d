"""The way in of one feed: what is delivered, and under which name the rest is counted."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.feeds.errors import REASONS
from bus.feeds.symbols import Symbols
from bus.intake import FORMATS, Intake
from bus.messages import Bar, Tick
from supervisor.control import FeedRow
from tests.bus.feeding import SECOND, T0, heartbeat, recorded, tick, trade
from tests.shared import needs_shared

encode = msgspec.msgpack.encode


def native(**settings):
    return Intake("main", "native", **settings)


def accept(intake, *messages, now=T0 + 100 * SECOND):
    return [item for frames in messages for item in intake.accept(frames, now)]


def bar(open_time, close=1.0, closed=True, *, timeframe="1m", low=0.5):
    values = ["X", timeframe, open_time, 1.0, 2.0, low, close, 5.0, closed]
    return [f"bar.X.{timeframe}".encode(), encode(values)]


def cryptofeed(channel, fields):
    return [f"{channel} ".encode() + msgspec.json.encode(fields)]


def crypto_trade(exchange="A", symbol="BTC-USD", ts=T0 / SECOND, price=5.0, **more):
    fields = {"exchange": exchange, "symbol": symbol, "price": price, "amount": 1, "timestamp": ts}
    return cryptofeed("trades", fields | {"receipt_timestamp": ts + 0.5} | more)


# ---- order -----------------------------------------------------------------------------------------
def test_ticks_in_order_are_delivered_and_counted():
    intake = native()
    ticks = accept(intake, *(trade(T0 + n, 1.0 + n, seq=n + 1) for n in range(5)))
    assert [found.last for found in ticks] == [1, 2, 3, 4, 5]
    assert (intake.ticks, intake.symbols, intake.sequenced, intake.rejected) == (5, 1, True, {})


def test_a_tick_a_little_behind_is_delivered_and_one_far_behind_is_not():
    intake = native(reorder_s=2)
    assert len(accept(intake, trade(T0 + 10 * SECOND), trade(T0 + 8 * SECOND))) == 2
    assert not accept(intake, trade(T0 + 8 * SECOND - 1))
    assert intake.rejected == {"backwards": 1}
    assert "2.000 s behind the newest, allowed are 2 s" in intake.examples["backwards"]


def test_trades_and_quotes_have_a_clock_each():
    quote = tick("EURUSD", T0 + 60 * SECOND, None, None, 1.0, 1.1)
    assert len(accept(native(), quote, trade(T0), trade(T0 + SECOND))) == 3


def test_a_number_that_was_here_before_is_a_duplicate():
    intake = native()
    assert len(accept(intake, trade(T0, seq=1), trade(T0, seq=1), trade(T0, seq=2), trade(T0, seq=1))) == 2
    assert (intake.duplicates, intake.gaps, intake.rejected) == (2, 0, {})


def test_a_trade_id_that_was_here_before_is_a_duplicate_even_with_a_new_number():
    intake = native()
    assert len(accept(intake, trade(T0, seq=1, trade_id="a"), trade(T0, seq=2, trade_id="a"))) == 1
    assert (intake.duplicates, intake.gaps) == (1, 0)


def test_the_same_trade_id_of_another_symbol_is_another_trade():
    other = tick("GBPUSD", T0, 1.0, 1.0, None, None, None, None, None, "a")
    assert len(accept(native(), trade(T0, trade_id="a"), other)) == 2


def test_a_refused_tick_leaves_no_gap_behind_it():
    intake = native()
    empty = tick("EURUSD", T0, None, 1.0, None, None, None, None, 2)
    assert len(accept(intake, trade(T0, seq=1), empty, trade(T0, seq=3))) == 2
    assert (intake.gaps, intake.rejected) == (0, {"no_price": 1})


def test_a_tick_that_did_not_decode_leaves_a_gap_for_it_is_lost():
    intake = native()
    broken = tick("EURUSD", T0, 0.0, 1.0, None, None, None, None, 2)
    accept(intake, trade(T0, seq=1), broken, trade(T0, seq=3))
    assert (intake.gaps, intake.rejected) == (1, {"not_positive": 1})


def test_a_batch_is_judged_tick_by_tick():
    intake = native()
    batch = [["X", T0 + n, 1.0, 1.0, None, None, None, None, n] for n in (1, 2, 2, 3)]
    assert len(accept(intake, [b"ticks.X", encode(batch)])) == 3
    assert intake.duplicates == 1


# ---- time ------------------------------------------------------------------------------------------
def test_a_time_ahead_of_the_clock_is_refused_live_and_taken_in_a_replay():
    ahead = trade(T0 + 6 * SECOND)
    live, replay = native(), native(max_ahead_s=None)
    assert not accept(live, trade(T0 - SECOND), ahead, now=T0)[1:]
    assert live.rejected == {"future": 1}
    assert accept(live, trade(T0 + 5 * SECOND), now=T0)
    assert accept(replay, ahead, now=T0)


def test_a_heartbeat_ahead_of_the_clock_does_not_move_the_watermark():
    intake = native()
    accept(intake, heartbeat(T0 + 3600 * SECOND), now=T0)
    assert (intake.watermark, intake.heartbeats, intake.rejected) == (0, 0, {"future": 1})


@pytest.mark.parametrize("ts", [T0 // SECOND, T0 // 10**6, T0 // 1000, 1])
def test_a_native_time_that_is_not_in_nanoseconds_is_refused(ts):
    intake = native()
    assert not accept(intake, trade(ts))
    assert intake.rejected == {"time": 1}


def test_the_watermark_is_the_newest_event_time_of_all_symbols_and_heartbeats():
    intake = native()
    accept(intake, trade(T0 + 5), tick("GBPUSD", T0 + 9, 1.0), trade(T0 + 7))
    assert intake.watermark == T0 + 9
    accept(intake, heartbeat(T0 + SECOND))
    assert intake.watermark == T0 + SECOND


def test_a_stamp_of_ours_does_not_run_the_watermark_ahead_of_the_exchange():
    intake = Intake("x", "cryptofeed")
    accept(intake, crypto_trade())
    quote = {"exchange": "A", "symbol": "BTC-USD", "bid": 1, "ask": 2, "timestamp": T0 / SECOND + 3}
    assert accept(intake, cryptofeed("ticker", quote | {"receipt_timestamp": quote["timestamp"]}))
    assert intake.watermark == T0


def test_a_feed_without_any_times_has_its_watermark_from_receipt():
    intake = Intake("fx", "dwx")
    accept(intake, [b"EURUSD:|:1.0;1.1"], now=T0)
    assert intake.watermark == T0


def test_a_clock_of_ours_that_is_set_back_does_not_stop_a_feed_without_times():
    intake = Intake("fx", "dwx")
    ticks = accept(intake, [b"EURUSD:|:1.0;1.1"], now=T0) + accept(
        intake, [b"EURUSD:|:1.1;1.2"], now=T0 - SECOND
    )
    assert [found.ts for found in ticks] == [T0, T0]


def test_lag_is_receipt_less_event_time_of_the_last_tick():
    intake = native()
    assert (intake.lag_ms, intake.last_tick_at) == (None, None)
    accept(intake, trade(T0), now=T0 + 5_000_000)
    assert (intake.lag_ms, intake.last_tick_at) == (5.0, T0 + 5_000_000)


# ---- prices ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None], "no_price"),
        ([None, 1.0], "no_price"),
        ([0.0], "not_positive"),
        ([math.nan], "not_finite"),
        ([1e16], "too_large"),
        (["1"], "field"),
    ],
)
def test_a_bad_tick_is_refused_alike_as_first_and_as_later_one(values, reason):
    first, later = native(), native()
    accept(later, trade(T0))
    for intake in (first, later):
        assert not accept(intake, tick("EURUSD", T0, *values))
        assert intake.rejected == {reason: 1}


@pytest.mark.parametrize("seqs", [(1, 2, 3), (None, None, None), (1, 3, 2)])
def test_a_crossed_quote_is_delivered_and_counted_on_either_way_through(seqs):
    intake = native()
    quotes = [
        tick("X", T0, None, None, 1.2, ask, 1.0, 1.0, seq)
        for ask, seq in zip((1.1, 1.2, 1.1), seqs, strict=True)
    ]
    assert [(found.bid, found.ask) for found in accept(intake, *quotes)] == [
        (1.2, 1.1),
        (1.2, 1.2),
        (1.2, 1.1),
    ]
    assert (intake.ticks, intake.crossed, intake.rejected) == (3, 2, {})


def test_a_crossed_quote_that_comes_again_is_counted_once():
    intake = native()
    assert len(accept(intake, *[tick("X", T0, None, None, 1.2, 1.1, None, None, 1)] * 2)) == 1
    assert (intake.crossed, intake.duplicates) == (1, 1)


def test_a_locked_quote_and_one_side_alone_are_delivered():
    quotes = [
        tick("X", T0, None, None, 1.0, 1.0),
        tick("X", T0, None, None, 1.0),
        tick("X", T0, None, None, None, 2),
    ]
    assert len(accept(native(), *quotes)) == 3


# ---- bars ------------------------------------------------------------------------------------------
def test_a_bar_is_delivered_while_it_forms_and_once_when_it_is_closed():
    intake = native()
    bars = accept(
        intake, bar(T0, 1.0, False), bar(T0, 1.5, False), bar(T0, 1.6), bar(T0, 1.7), bar(T0 + 60 * SECOND)
    )
    assert [(found.close, found.closed) for found in bars] == [
        (1.0, False),
        (1.5, False),
        (1.6, True),
        (1.0, True),
    ]
    assert (intake.bars, intake.duplicates) == (4, 1)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bar(T0, close=3.0), "ohlc"),
        (bar(T0, low=1.1), "ohlc"),
        (bar(T0 - 60 * SECOND), "backwards"),
        (bar(T0 + 600 * SECOND), "future"),
        (bar(T0 // 1000), "time"),
    ],
)
def test_a_bar_is_refused_by_reason(message, reason):
    intake = native()
    accept(intake, bar(T0))
    assert not accept(intake, message)
    assert intake.rejected == {reason: 1}


def test_a_symbol_cannot_bring_bars_in_any_number_of_timeframes():
    intake = native()
    accept(intake, *(bar(T0, timeframe=f"{n}s") for n in range(1, 70)))
    assert (intake.bars, intake.rejected) == (64, {"too_many_symbols": 5})


# ---- symbols and venues ----------------------------------------------------------------------------
def test_one_plain_symbol_of_two_venues_is_refused_and_says_what_to_set():
    intake = Intake("crypto", "cryptofeed")
    assert [found.symbol for found in accept(intake, crypto_trade("A"), crypto_trade("B"))] == ["BTC-USD"]
    assert intake.rejected == {"venue_conflict": 1}
    assert "venue_suffix = true in [feeds.crypto]" in intake.examples["venue_conflict"]


def test_with_venue_suffix_each_venue_has_its_own_symbol():
    intake = Intake("crypto", "cryptofeed", venue_suffix=True)
    found = accept(intake, crypto_trade("A"), crypto_trade("B"))
    assert [tick.symbol for tick in found] == ["BTC-USD.A", "BTC-USD.B"]


def test_a_name_that_cannot_be_a_symbol_is_refused_and_says_what_can():
    intake = native()
    assert not accept(intake, tick("NIFTY 50", T0, 1.0), tick("a|b", T0, 1.0), tick("é", T0, 1.0))
    assert intake.rejected == {"symbol": 3}
    assert "allowed are letters, digits" in intake.examples["symbol"]


def test_the_number_of_symbols_is_bounded():
    intake = native()
    intake._symbols = Symbols("main", limit=2)
    assert len(accept(intake, *(tick(f"S{n}", T0, 1.0) for n in (1, 2, 3, 1)))) == 3
    assert intake.rejected == {"too_many_symbols": 1}


# ---- the whole -------------------------------------------------------------------------------------
def test_the_row_is_the_feed_s_share_of_what_stratd_feeds_shows():
    intake = native()
    accept(intake, trade(T0, seq=1), heartbeat(T0), [b"?", b""], now=T0)
    intake.health(T0)
    row = FeedRow(endpoint="tcp://x", mode="bind", **intake.row())
    assert (row.name, row.format, row.state, row.ticks, row.heartbeats) == ("main", "native", "healthy", 1, 1)
    assert (row.lag_ms, row.last_tick_at, row.symbols, row.rejected) == (0.0, T0, 1, {"topic": 1})


def test_every_reason_counted_is_one_of_the_closed_list_with_a_short_example():
    intake = native()
    accept(intake, [b"x" * 5000, b"y" * 5000], [b"tick.X", encode(["X", T0, 0])], [])
    assert set(intake.rejected) <= set(REASONS)
    assert all(len(example) <= 256 for example in intake.examples.values())
    assert set(intake.examples) == set(intake.rejected)


@needs_shared("wire", "samples")
def test_a_recorded_binance_session_is_delivered_whole():
    intake = Intake("crypto", "cryptofeed")
    ticks = accept(intake, *recorded("cryptofeed_playback_BINANCE_FUTURES.jsonl"), now=2 * T0)
    assert (len(ticks), intake.rejected, intake.duplicates) == (91 + 613, {}, 0)


@needs_shared("wire", "samples")
def test_of_a_recorded_bitfinex_session_the_history_in_its_snapshots_is_refused():
    intake = Intake("crypto", "cryptofeed")
    ticks = accept(intake, *recorded("cryptofeed_playback_BITFINEX.jsonl"), now=2 * T0)
    trades = [found for found in ticks if found.last is not None]
    # 199 of its 210 trades come out of time order (wire/formats.json); the first of each symbol is the newest
    assert (len(trades), len(ticks) - len(trades), intake.rejected) == (11, 21, {"backwards": 199})


def total(intake):
    counted = (intake.rejected, intake.ignored)
    return (
        intake.ticks + intake.bars + intake.heartbeats + intake.duplicates
        + sum(sum(counts.values()) for counts in counted)
    )  # fmt: skip


TOPICS = [
    b"tick.X",
    b"ticks.X",
    b"bar.X.1m",
    b"hb",
    b"NSE_X_LTP",
    b"NSE_X_DEPTH",
    b"a_orders",
    b"hashtx",
    b"",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8)
    | st.just("X") | st.just("1m") | st.integers(T0 - SECOND, T0 + 10 * SECOND) | st.floats(0.5, 2.0),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
PRICES = st.none() | st.floats(0.5, 2) | st.just(0.0)
TICKS = st.tuples(
    st.just("X"), st.integers(T0 - 5 * SECOND, T0 + 7 * SECOND), *(PRICES for _ in range(6)),
    st.none() | st.integers(0, 20), st.none() | st.sampled_from("abc"),
)  # fmt: skip
JSON = st.dictionaries(
    st.sampled_from(
        ["exchange", "symbol", "price", "amount", "ltp", "ltt", "volume", "bid", "ask", "timestamp"]
    ),
    st.sampled_from(["X", "1.5", "nan", T0, T0 / SECOND, 0, -1, 5, None, 1e300, {"buy": 1}]),
)
PAYLOADS = (
    st.binary(max_size=64)
    | VALUES.map(encode)
    | TICKS.map(encode)
    | st.lists(TICKS, max_size=4).map(encode)
    | JSON.map(msgspec.json.encode)
)
FRAMES = (
    st.lists(st.binary(max_size=32), max_size=4)
    | st.tuples(st.sampled_from(TOPICS), PAYLOADS).map(list)
    | st.tuples(
        st.sampled_from([b"A-trades-X ", b"ticker ", b"A-candles-X ", b"X:|:", b"X:|:1;"]), PAYLOADS
    ).map(lambda parts: [parts[0] + parts[1]])
)


@pytest.mark.parametrize("wire_format", FORMATS)
@settings(max_examples=400, deadline=None)
@given(messages=st.lists(FRAMES, max_size=6))
def test_whatever_comes_in_is_delivered_ignored_by_name_or_counted_by_reason(wire_format, messages):
    intake = Intake("x", wire_format)
    for frames in messages:
        before = total(intake)
        delivered = intake.accept(frames, T0)
        counted = total(intake) - before
        assert counted >= max(1, len(delivered))
        for item in delivered:
            assert isinstance(item, Tick | Bar)
            # what leaves decodes again: no NaN, no zero price, no name too long came through by hand
            assert msgspec.msgpack.decode(encode(item), type=type(item)) == item
    assert set(intake.rejected) <= set(REASONS)
    intake.health(T0)
    intake.row()


@settings(max_examples=300, deadline=None)
@given(st.lists(TICKS, max_size=40))
def test_the_hot_path_the_long_way_and_a_batch_come_to_the_same(ticks):
    hot, long, batched = native(), native(), native()
    long._is_next = lambda *_: False
    messages = [tick(*values) for values in ticks]
    delivered = accept(hot, *messages, now=T0)
    assert delivered == accept(long, *messages, now=T0)
    assert delivered == accept(batched, [b"ticks.X", encode(ticks)], now=T0)
    keys = ("ticks", "duplicates", "gaps", "rejected", "symbols", "lag_ms", "sequenced")
    for other in (long, batched):
        assert {key: hot.row()[key] for key in keys} == {key: other.row()[key] for key in keys}
        assert (hot.watermark, hot.gapped) == (other.watermark, other.gapped)
