"""The messages of Darwinex's MetaTrader 4 connector."""

from __future__ import annotations

import pytest

from bus.feeds.dwx import decode
from bus.feeds.errors import FrameRefused
from bus.feeds.readings import Ignored, Reading
from bus.messages import Tick
from tests.bus.feeding import T0, recorded
from tests.shared import needs_shared


def test_a_tick_is_stamped_on_receipt():
    expected = Reading(Tick("EURUSD", T0, bid=1.08515, ask=1.08521), untimed=True)
    assert decode([b"EURUSD:|:1.085150;1.085210"], T0) == [expected]


def test_a_rates_message_is_a_bar_that_just_opened_and_no_candle():
    frame = b"EURUSD_M1:|:1581611160;1.085150;1.085150;1.085150;1.085150;1;6;0"
    assert decode([frame], T0) == [Ignored("opening_bar")]


def test_a_symbol_that_looks_like_a_timeframe_is_a_symbol_when_its_body_is_a_quote():
    (reading,) = decode([b"US_M1:|:1.0;2.0"], T0)
    assert reading.body.symbol == "US_M1"


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"EURUSD:|:"], "empty"),
        ([b"EURUSD:|: "], "empty"),
        ([b"EURUSD 1.08"], "malformed"),
        ([b":|:1;2"], "malformed"),
        ([b"EURUSD:|:1.0;2.0;3.0"], "malformed"),
        ([b"EURUSD_M1:|:1581611160;1.0;1.0;1.0;1.0;1;6;0;0"], "malformed"),
        ([b"EUR\xff:|:1.0;2.0"], "malformed"),
        ([b"EURUSD:|:0.000000;1.0"], "not_positive"),
        ([b"EURUSD:|:nan;1.0"], "not_finite"),
        ([b"EURUSD:|:one;1.0"], "field"),
        ([b"EURUSD", b"1.0;2.0"], "frames"),
        ([b":|:" * 500_000], "too_large"),
    ],
)
def test_a_message_is_refused_by_reason(frames, reason):
    with pytest.raises(FrameRefused) as caught:
        decode(frames, T0)
    assert caught.value.reason == reason, caught.value.detail


@needs_shared("wire", "samples")
def test_the_emulated_session_has_three_ticks_and_two_opening_bars():
    found = [item for frames in recorded("dwx_emulated.jsonl") for item in decode(frames, T0)]
    assert [isinstance(item, Reading) for item in found] == [True, False, True, True, False]
    assert [item.body.bid for item in found if isinstance(item, Reading)] == [1.08515, 1.08516, 1.08514]
