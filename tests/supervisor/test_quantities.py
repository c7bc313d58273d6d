"""Sizes and spans as people write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.quantities import format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256M", 2**28),
        ("256MiB", 2**28),
        ("256MB", 2**28),
        ("1.5G", 3 * 2**29),
        ("4k", 4096),
        ("12", 12),
        (77, 77),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1M", "1X", "1 M M", "1,5G", True, 1.5, None, "0x10", "inf", "9" * 400]
)
def test_what_is_no_size_is_told_what_one_is(text):
    with pytest.raises(ValueError, match="must be a size: bytes, or a number with K, M, G or T"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("2 h", 7200.0),
        ("1d", 86400.0),
        ("3", 3.0),
        (0.5, 0.5),
        ("5min", 300.0),
    ],
)
def test_spans(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1 week", "-1s", "1s later", False, None, []])
def test_what_is_no_span_is_told_what_one_is(text):
    with pytest.raises(ValueError, match="must be a span of time"):
        parse_duration(text)


@given(st.integers(0, 2**45))
def test_a_size_that_is_printed_reads_back_within_three_figures(size):
    assert abs(parse_size(format_size(size)) - size) <= max(size * 0.006, 1)


@given(st.text(max_size=20))
def test_no_text_whatever_does_anything_but_parse_or_say_what_is_allowed(text):
    for parse in (parse_size, parse_duration):
        try:
            result: object = parse(text)
        except ValueError as error:
            result = str(error)
        assert str(result).startswith("must be a ") or float(str(result)) >= 0


def test_a_whole_number_of_seconds_that_no_float_holds_is_for_ever():
    assert parse_duration(10**400) == math.inf
    assert parse_duration(-(10**400)) == math.inf
