"""Units of time, prices as text, and prices that went through a 32-bit float."""

from __future__ import annotations

import math
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.feeds.errors import FrameRefused, show
from bus.feeds.readings import EARLIEST, LATEST, decimal_price, nanos, optional_nanos, price


@pytest.mark.parametrize(
    "value", [1_625_461_887, 1_625_461_887_000, 1_625_461_887 * 10**6, 1_625_461_887 * 10**9]
)
def test_seconds_milliseconds_microseconds_and_nanoseconds_are_told_by_magnitude(value):
    assert nanos(value) == 1_625_461_887 * 10**9


def test_float_seconds_keep_their_microseconds():
    assert nanos(1_700_000_000.123456) == 1_700_000_000_123_456_000
    assert nanos(1_626_992_741.017) == 1_626_992_741_017_000_000


@given(st.integers(EARLIEST // 1000, LATEST // 1000 - 1))
def test_every_microsecond_between_1973_and_2100_survives_every_unit_that_can_hold_it(micros):
    assert nanos(micros) == micros * 1000
    assert nanos(micros * 1000) == micros * 1000
    assert abs(nanos(micros / 1e6) - micros * 1000) <= 1000
    assert nanos(micros // 1000) == micros // 1000 * 10**6
    assert nanos(micros // 10**6) == micros // 10**6 * 10**9


@pytest.mark.parametrize("value", [0, 5, -1, 99_999_999, 4_102_444_800, 5e18, 1e300])
def test_a_time_outside_1973_to_2100_is_refused(value):
    with pytest.raises(FrameRefused) as caught:
        nanos(value)
    assert caught.value.reason == "time"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_not_finite_is_refused(value):
    with pytest.raises(FrameRefused) as caught:
        nanos(value)
    assert caught.value.reason == "not_finite"


@pytest.mark.parametrize("value", [None, 0, "", "0", "10:15:59", -1])
def test_a_time_that_is_not_there_is_zero(value):
    assert optional_nanos(value) == 0


def test_a_time_written_as_text_is_a_time():
    assert optional_nanos("1746171226123") == 1_746_171_226_123_000_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [("nan", "not_finite"), ("inf", "not_finite"), ("0.0", "not_positive"), ("-1", "not_positive"),
     ("1e16", "too_large"), ("abc", "field"), ("", "field")],
)  # fmt: skip
def test_a_price_written_as_text_is_refused_by_reason(text, reason):
    with pytest.raises(FrameRefused) as caught:
        price(text, "bid")
    assert caught.value.reason == reason
    assert "bid" in caught.value.detail


def test_a_price_that_went_through_a_32_bit_float_is_brought_back():
    assert decimal_price(1418.4000244140625) == 1418.4


@given(st.integers(1, 9_999_999), st.integers(0, 4))
def test_every_price_of_seven_digits_survives_a_32_bit_float(digits, places):
    exact = float(f"{digits}e-{places}")
    assert decimal_price(unpack("<f", pack("<f", exact))[0]) == exact


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_a_price_that_is_no_32_bit_float_is_left_alone(value):
    if unpack("<f", pack("<f", value))[0] != value:
        assert decimal_price(value) == value


def test_what_is_shown_of_a_frame_is_one_short_line_of_ascii():
    shown = show(b"\x00\n\xff" + b"x" * 1000)
    assert shown.isascii()
    assert "\n" not in shown
    assert len(shown) < 250
