"""OpenAlgo's topics and payloads, and the ticks that its snapshots come down to."""

from __future__ import annotations

import json

import pytest

from bus.feeds.errors import FrameRefused
from bus.feeds.openalgo import decode, parse_topic
from bus.feeds.readings import Ignored
from bus.feeds.snapshots import RESTATED_AFTER
from bus.intake import Intake
from bus.messages import TICK_VOLUME_UNKNOWN
from tests.bus.feeding import SECOND, T0, quote_message, recorded
from tests.shared import needs_shared

DAY = 86_400 * SECOND
MS = T0 // 10**6
DEPTH = {"buy": [{"price": 99.5, "quantity": 10, "orders": 1}], "sell": [{"price": 100.5, "quantity": 20}]}


def openalgo(**settings):
    return Intake("nse", "openalgo", **settings)


def refused(*frames):
    with pytest.raises(FrameRefused) as caught:
        decode(list(frames), T0)
    return caught.value


def sizes(intake, *readings):
    """Sizes of the trades in readings (price, volume, seconds after T0) of one symbol."""
    found = []
    for price, volume, after in readings:
        ts = T0 + after * SECOND
        frames = quote_message("X", "QUOTE", ltp=price, volume=volume, ltt=ts // 10**6, timestamp=ts // 10**6)
        found += [tick.size for tick in intake.accept(frames, ts)]
    return found


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (b"NSE_RELIANCE_LTP", ("NSE", "RELIANCE", "LTP")),
        (b"CRYPTO_SOL_INR_LTP", ("CRYPTO", "SOL_INR", "LTP")),
        (b"NSE_INDEX_NIFTY_LTP", ("NSE_INDEX", "NIFTY", "LTP")),
        (b"GLOBAL_INDEX_US_500_QUOTE", ("GLOBAL_INDEX", "US_500", "QUOTE")),
        (b"NFO_NIFTY28MAR2420800CE_DEPTH", ("NFO", "NIFTY28MAR2420800CE", "DEPTH")),
        (b"NSE_M&M_LTP", ("NSE", "M&M", "LTP")),
    ],
)
def test_a_topic_is_exchange_symbol_and_mode_though_all_may_hold_underscores(topic, expected):
    assert parse_topic(topic) == expected


@pytest.mark.parametrize(
    "topic", [b"", b"LTP", b"NSE_LTP", b"NSE_INDEX_LTP", b"NSE_X_FULL", b"NSE_X", b"_X_LTP", b"N\xff_X_LTP"]
)
def test_a_topic_that_is_not_exchange_symbol_and_mode_is_refused(topic):
    assert refused(topic, b"{}").reason == "topic"


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        (b"CACHE_INVALIDATE_ALL_x", "cache_invalidate"),
        (b"CACHE_INVALIDATE_X_LTP", "cache_invalidate"),
        (b"user1_orders", "orders"),
        (b"user1_positions", "positions"),
        (b"user1_margins", "margins"),
    ],
)
def test_a_topic_that_is_not_about_the_market_is_ignored_by_name_and_not_opened(topic, name):
    intake = openalgo()
    assert decode([topic, b"\x80\x05not json."], T0) == [Ignored(name)]
    assert intake.accept([topic, b"\x80\x05not json."], T0) == []
    assert (intake.ignored, intake.rejected) == ({name: 1}, {})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"ltp": 0}, "not_positive"),
        ({"ltp": -5}, "not_positive"),
        ({"ltp": float("nan")}, "not_finite"),
        ({"ltp": float("inf")}, "not_finite"),
        ({"ltp": 1e16}, "too_large"),
        ({"ltp": None}, "field"),
        ({}, "field"),
        ({"ltp": 1, "volume": -1}, "not_positive"),
        ({"ltp": 1, "ltt": 12345}, "time"),
        ({"ltp": 1, "depth": 5}, "field"),
    ],
)
def test_a_payload_is_refused_by_reason(fields, reason):
    found = refused(*quote_message("X", "QUOTE", **fields))
    assert found.reason == reason, found.detail


@pytest.mark.parametrize(("frames", "reason"), [
    ([b"NSE_X_LTP"], "frames"), ([b"NSE_X_LTP", b"{", b""], "frames"), ([b"NSE_X_LTP", b"{"], "malformed"),
    ([b"NSE_X_LTP", b""], "malformed"), ([b"NSE_X_LTP", b" " * (1 << 21)], "too_large"),
])  # fmt: skip
def test_a_message_is_refused_by_reason(frames, reason):
    assert refused(*frames).reason == reason


@pytest.mark.parametrize("ltt", [T0 // SECOND, MS, T0 // 1000, T0, str(MS), float(MS)])
def test_the_unit_of_a_time_is_told_by_its_magnitude(ltt):
    (tick,) = openalgo().accept(quote_message("X", "LTP", ltp=5, ltt=ltt), T0)
    assert tick.ts == T0


@pytest.mark.parametrize("ltt", [None, 0, "", "09:15:00"])
def test_without_the_exchange_s_time_the_publisher_s_is_taken_and_said_so(ltt):
    intake = openalgo()
    (tick,) = intake.accept(quote_message("X", "LTP", ltp=5, ltt=ltt, timestamp=MS - 1), T0)
    assert tick.ts == T0 - 10**6
    assert "times missing" in intake.health(T0)[0].detail


def test_without_any_time_a_tick_is_stamped_on_receipt():
    (tick,) = openalgo().accept(quote_message("X", "LTP", ltp="5.5"), T0)
    assert (tick.ts, tick.last) == (T0, 5.5)


def test_a_price_of_a_32_bit_float_is_brought_back():
    (tick,) = openalgo().accept(quote_message("X", "LTP", ltp=1418.4000244140625), T0)
    assert tick.last == 1418.4


def test_one_tick_on_three_topics_is_one_trade():
    intake, ticks = openalgo(), []
    for n in range(4):
        fields = {"ltp": 100 + n, "ltt": MS + 1000 * n, "timestamp": MS + 1000 * n, "volume": 1000 + 10 * n}
        now = T0 + n * SECOND
        for mode, depth in (("LTP", {}), ("QUOTE", {}), ("DEPTH", {"depth": DEPTH})):
            ticks += intake.accept(quote_message("X", mode, **fields, **depth), now)
    trades = [(tick.last, tick.size) for tick in ticks if tick.last is not None]
    # the first price came before any volume was known; from then on each trade comes once, with its size
    assert trades == [(100, None), (101, 10), (102, 10), (103, 10)]
    assert (intake.duplicates, intake.rejected) == (7, {})


def test_a_poorer_mode_is_heard_again_when_the_richer_one_is_gone():
    intake = openalgo()
    intake.accept(quote_message("X", "QUOTE", ltp=1, ltt=MS, volume=5), T0)
    assert not intake.accept(quote_message("X", "LTP", ltp=2, ltt=MS + 5000), T0 + 5 * SECOND)
    assert intake.accept(quote_message("X", "LTP", ltp=3, ltt=MS + 11_000), T0 + 11 * SECOND)


def test_a_change_of_the_book_alone_is_a_quote_and_no_trade():
    intake = openalgo()
    fields = {"ltp": 100, "ltt": MS, "volume": 10}
    intake.accept(quote_message("X", "DEPTH", **fields, timestamp=MS, depth=DEPTH), T0)
    moved = {"buy": [{"price": 99.0, "quantity": 1}], "sell": DEPTH["sell"]}
    (tick,) = intake.accept(
        quote_message("X", "DEPTH", **fields, timestamp=MS + 900, depth=moved), T0 + SECOND
    )
    assert (tick.last, tick.bid, tick.ask, tick.ts) == (None, 99.0, 100.5, T0 + 900 * 10**6)


def test_a_depth_filled_with_zeros_is_no_quote():
    empty = {"buy": [{"price": 0, "quantity": 0}], "sell": []}
    (tick,) = openalgo().accept(quote_message("X", "DEPTH", ltp=5, ltt=MS, volume=1, depth=empty), T0)
    assert (tick.last, tick.bid, tick.ask) == (5.0, None, None)


def test_the_volume_of_the_day_becomes_sizes_and_the_first_reading_is_flagged():
    intake = openalgo()
    (first,) = intake.accept(quote_message("X", "QUOTE", ltp=1, ltt=MS, volume=500), T0)
    assert (first.size, first.flags) == (0.0, TICK_VOLUME_UNKNOWN)
    (second,) = intake.accept(quote_message("X", "QUOTE", ltp=2, ltt=MS + 1000, volume=530), T0 + SECOND)
    assert (second.size, second.flags) == (30.0, 0)


def test_a_lower_volume_on_a_new_trading_day_is_a_reset_and_counts_in_full():
    assert sizes(openalgo(), (1, 1000, 0), (2, 1030, 1), (3, 50, 86_400), (4, 80, 86_401)) == [0, 30, 50, 30]


def test_the_trading_day_comes_from_the_calendar_that_is_given():
    calendar = openalgo(trading_day=lambda _symbol, ts: (ts - T0) // (3600 * SECOND))
    assert sizes(calendar, (1, 1000, 0), (2, 50, 3600)) == [0, 50]
    assert sizes(openalgo(), (1, 1000, 0), (2, 50, 3600)) == [0]


def test_zero_before_the_open_is_a_reset_though_the_last_trade_is_yesterday_s():
    intake = openalgo(
        trading_day=lambda _symbol, ts: (ts - T0) // DAY if (ts - T0) % DAY < DAY // 4 else None
    )
    fields = {"ltp": 1, "ltt": MS}
    intake.accept(quote_message("X", "QUOTE", **fields, volume=1000, timestamp=MS), T0)
    before_open = T0 + DAY - 3600 * SECOND
    intake.accept(
        quote_message("X", "QUOTE", **fields, volume=0, timestamp=before_open // 10**6), before_open
    )
    opened = T0 + DAY
    frames = quote_message("X", "QUOTE", ltp=2, ltt=opened // 10**6, volume=1500, timestamp=opened // 10**6)
    (tick,) = intake.accept(frames, opened)
    assert (tick.size, tick.flags, intake.rejected) == (1500.0, 0, {})


def test_a_lower_volume_inside_the_day_is_refused_and_the_next_one_counts_from_before():
    intake = openalgo()
    assert sizes(intake, (1, 1000, 0), (2, 900, 1), (3, 1010, 2)) == [0, 10]
    assert intake.rejected == {"volume_decrease": 1}
    assert intake.examples["volume_decrease"] == "X: the volume of the day fell from 1000 to 900"


def test_a_counter_that_stays_lower_is_taken_as_restated():
    intake = openalgo()
    lower = [(2 + n, 100 + n, 1 + n) for n in range(RESTATED_AFTER + 1)]
    assert sizes(intake, (1, 10**12, 0), *lower) == [0, 0, 1]
    assert intake.rejected == {"volume_decrease": RESTATED_AFTER - 1}


def test_a_size_that_was_refused_with_its_tick_is_in_the_next_one():
    intake = openalgo()
    intake.accept(quote_message("X", "DEPTH", ltp=1, ltt=MS, volume=100, depth=DEPTH), T0)
    intake.accept(quote_message("X", "DEPTH", ltp=2, ltt=MS - 60_000, volume=110, depth=DEPTH), T0 + SECOND)
    (tick,) = intake.accept(
        quote_message("X", "DEPTH", ltp=3, ltt=MS + 2000, volume=125, depth=DEPTH), T0 + 2 * SECOND
    )
    assert (tick.size, intake.rejected) == (25.0, {"backwards": 1})


@needs_shared("wire", "samples")
def test_a_day_of_yesbank_is_1508_trades_that_add_up_to_its_volume():
    intake, ticks = openalgo(), []
    for frames in recorded("openalgo_angel_YESBANK_20190709.jsonl"):
        ticks += intake.accept(frames, 1_795_176_655 * SECOND)
    assert (len(ticks), intake.rejected, intake.duplicates) == (1508, {}, 0)
    assert sum(tick.size for tick in ticks) == 137_785_310 - 432_525
    assert [tick.flags for tick in ticks] == [TICK_VOLUME_UNKNOWN] + [0] * 1507
    assert (ticks[0].ts, ticks[-1].ts) == (1_562_643_900 * SECOND, 1_562_667_059 * SECOND)


@needs_shared("wire", "samples")
def test_the_three_messages_of_angel_are_one_trade_and_one_quote():
    intake, ticks = openalgo(), []
    for frames in recorded("openalgo_angel.jsonl"):
        ticks += intake.accept(frames, 1_795_176_522 * SECOND)
    assert [(tick.last, tick.bid, tick.ask) for tick in ticks] == [
        (1418.4, None, None),
        (None, 1418.35, 1418.45),
    ]
    assert (intake.duplicates, intake.rejected) == (1, {})


@needs_shared("wire", "samples")
def test_the_messages_of_zerodha_mix_clocks_and_what_is_years_behind_is_refused():
    intake, ticks = openalgo(venue_suffix=True), []
    for frames in recorded("openalgo_zerodha.jsonl"):
        ticks += intake.accept(frames, 1_795_176_649 * SECOND)
    assert [(tick.symbol, tick.last) for tick in ticks] == [
        ("NIFTY.NSE_INDEX", 24350.55),
        ("INFY.NSE", 1573.15),
    ]
    # the second packet's exchange time is of 2021, the first one's wall clock of 2026
    assert (intake.rejected, intake.duplicates) == ({"backwards": 2}, 2)


def test_json_of_python_and_of_others_is_read_alike():
    frames = quote_message("X", "LTP", ltp=1.5, ltt=MS)
    tight = json.dumps(json.loads(frames[1]), separators=(",", ":")).encode()
    assert decode([frames[0], tight], T0) == decode(frames, T0)
