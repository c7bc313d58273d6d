"""The native feed, message by message."""

from __future__ import annotations

import math

import msgspec
import pytest

from bus.feeds.errors import MAX_FRAME, FrameRefused
from bus.feeds.native import decode
from bus.feeds.readings import Ignored, Reading
from bus.messages import Bar, Heartbeat, Tick
from tests.bus.feeding import T0, heartbeat, tick

encode = msgspec.msgpack.encode


def refused(frames):
    with pytest.raises(FrameRefused) as caught:
        decode(frames, T0)
    return caught.value


def test_a_tick_of_ten_elements_arrives_whole():
    frames = tick("EURUSD", T0, 1.1, 2.0, 1.0, 1.2, 3.0, 4.0, 7, "a1")
    assert decode(frames, T0) == [Reading(Tick("EURUSD", T0, 1.1, 2.0, 1.0, 1.2, 3.0, 4.0, 7, "a1"))]


def test_elements_from_size_on_may_be_left_off_and_ints_are_prices():
    assert decode(tick("X", T0, 5), T0) == [Reading(Tick("X", T0, 5.0))]


def test_an_eleventh_element_does_not_set_the_flags_of_the_engine():
    frames = tick("X", T0, 5.0, 1.0, None, None, None, None, 1, None, 7)
    assert decode(frames, T0) == [Reading(Tick("X", T0, 5.0, 1.0, seq=1))]


@pytest.mark.parametrize("symbol", ["CRYPTO_SOL_INR", "BTC-USDT-PERP", "RELIANCE.NSE", "ES.FUT.2024"])
def test_a_symbol_may_hold_underscores_dashes_and_dots(symbol):
    (reading,) = decode(tick(symbol, T0, 1.0), T0)
    assert reading.body.symbol == symbol


def test_a_bar_of_a_symbol_with_dots_arrives_whole():
    values = ["RELIANCE.NSE", "1m", T0, 1.0, 2.0, 0.5, 1.5, 10.0, True]
    assert decode([b"bar.RELIANCE.NSE.1m", encode(values)], T0) == [Reading(Bar(*values))]


def test_a_heartbeat_brings_the_last_number_of_each_symbol():
    assert decode(heartbeat(T0, EURUSD=5), T0) == [Heartbeat(T0, {"EURUSD": 5})]


def test_one_bad_tick_of_a_batch_is_refused_alone():
    batch = [["X", T0, 1.0], ["X", T0, 0.0], ["Y", T0, 1.0], ["X", T0, 2.0]]
    first, bad, other, last = decode([b"ticks.X", encode(batch)], T0)
    assert (first, last) == (Reading(Tick("X", T0, 1.0)), Reading(Tick("X", T0, 2.0)))
    assert (bad.reason, other.reason) == ("not_positive", "topic")


def test_an_empty_batch_is_ignored_by_name():
    assert decode([b"ticks.X", encode([])], T0) == [Ignored("empty_batch")]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["X", T0, 0.0], "not_positive"),
        (["X", T0, -1.0], "not_positive"),
        (["X", T0, math.nan], "not_finite"),
        (["X", T0, math.inf], "not_finite"),
        (["X", T0, -math.inf], "not_finite"),
        (["X", T0, 1.0, math.nan], "not_finite"),
        (["X", T0, 2e15], "too_large"),
        (["X", T0, 1.0, -1.0], "not_positive"),
        (["X" * 65, T0, 1.0], "too_large"),
        (["X", 2**63, 1.0], "too_large"),
        (["X", 0, 1.0], "not_positive"),
        (["X", T0, "1.0"], "field"),
        (["X", float(T0), 1.0], "field"),
        (["X"], "field"),
        ({"symbol": "X"}, "field"),
        (["Y", T0, 1.0], "topic"),
    ],
)
def test_a_tick_is_refused_by_reason(values, reason):
    found = refused([b"tick.X", encode(values)])
    assert found.reason == reason, found.detail


def test_the_detail_names_the_field_the_bound_and_the_value():
    found = refused([b"tick.X", encode(["X", T0, 0.0])])
    assert "> 0.0" in found.detail
    assert "$[2]" in found.detail


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "frames"),
        ([b"tick.X"], "frames"),
        ([b"tick.X", b"", b""], "frames"),
        ([b"tick", encode(["X", T0, 1.0])], "topic"),
        ([b"trade.X", encode(["X", T0, 1.0])], "topic"),
        ([b"hbx", encode([T0, {}])], "topic"),
        ([b"tick.X", b""], "malformed"),
        ([b"tick.X", b"\xc1"], "malformed"),
        ([b"tick.X", b"\x92\xa1\xff\x01"], "malformed"),
        ([b"tick.X", encode(["X", T0, 1.0]) + b"\x00"], "malformed"),
        ([b"tick.X", b"\x9c\xa1X\x01" + b"\xc0" * 8 + b"\x00" + b"\x91" * 100_000], "malformed"),
        ([b"ticks.X", b"\xdd\xff\xff\xff\xff"], "malformed"),
        ([b"hb", encode([T0, {"X": "1"}])], "field"),
        ([b"bar.X.7y", encode(["X", "7y", T0, 1, 1, 1, 1, 1, True])], "field"),
        ([b"bar.X.5m", encode(["X", "1m", T0, 1, 1, 1, 1, 1, True])], "topic"),
        ([b"tick.X", b"\x00" * (MAX_FRAME + 1)], "too_large"),
    ],
)
def test_a_message_is_refused_by_reason(frames, reason):
    found = refused(frames)
    assert found.reason == reason, found.detail
