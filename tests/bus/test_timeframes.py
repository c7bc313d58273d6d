"""Rule 1 of the candle specification: grammar, canonical ids, order."""

from __future__ import annotations

import random
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import TimeframeId
from bus.timeframes import DAY, HOUR, MINUTE, SECOND, Timeframe, TimeframeError, nests, parse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1s", "1s"), ("60s", "1m"), ("90s", "90s"), ("3600s", "1h"), ("86400s", "24h"),
        ("60m", "1h"), ("90m", "90m"), ("120m", "2h"), ("1440m", "24h"), ("24h", "24h"),
        ("1d", "1d"), ("7d", "7d"), ("1w", "1w"), ("12M", "12M"), ("7m", "7m"), ("45m", "45m"),
    ],
)  # fmt: skip
def test_every_timeframe_has_one_canonical_id(text, canonical):
    assert parse(text).id == canonical


@pytest.mark.parametrize(
    "text", ["", "0m", "01m", "1", "m", "1x", "1D", "-1m", "1.5m", " 1m", "1m\n", "1mm", "\u0661m"]
)
def test_what_is_outside_the_grammar_is_refused_in_one_line_that_names_it(text):
    with pytest.raises(TimeframeError) as caught:
        parse(text)
    message = str(caught.value)
    assert repr(text) in message
    assert "s, m, h, d, w, M" in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["25h", "48h", "1441m", "86401s", "367d", "54w", "13M", "9" * 5000 + "s"])
def test_what_is_too_long_is_refused_in_one_short_line(text):
    with pytest.raises(TimeframeError) as caught:
        parse(text)
    assert len(str(caught.value)) < 200


def test_spans_are_nanoseconds_of_elapsed_time_and_days_have_none():
    spans = [parse(text).span for text in ("1s", "7m", "24h", "1d", "1w", "1M")]
    assert spans == [SECOND, 7 * MINUTE, 24 * HOUR, None, None, None]
    assert parse("24h").span == DAY


def test_the_order_is_ascending_length_and_total():
    ascending = ["1s", "30s", "1m", "7m", "1h", "5h", "24h", "1d", "2d", "5d", "7d", "1w", "2w", "1M", "12M"]
    shuffled = random.Random(5).sample(ascending, len(ascending))
    assert [frame.id for frame in sorted(map(parse, shuffled))] == ascending


def test_a_timeframe_is_hashable_equal_to_its_synonym_and_prints_as_its_id():
    assert {parse("60m"), parse("1h")} == {parse("1h")}
    assert f"{parse('3600s')}" == "1h"


@pytest.mark.parametrize(
    ("lower", "higher", "expected"),
    [
        ("1m", "7m", True), ("5m", "7m", False), ("1m", "1d", True), ("7m", "1d", True), ("1d", "1w", True),
        ("1d", "1M", True), ("1w", "1M", False), ("2d", "1w", False), ("2d", "4d", True), ("24h", "1d", True),
        ("1d", "24h", False), ("1M", "12M", True), ("5M", "12M", False), ("1w", "2w", True),
        ("90s", "3m", True),
    ],
)  # fmt: skip
def test_which_timeframes_nest(lower, higher, expected):
    assert nests(parse(lower), parse(higher)) is expected


@given(st.from_regex(r"[1-9][0-9]{0,5}(s|m|h|d|w|M)", fullmatch=True))
def test_what_parses_is_a_fixed_point_and_fits_the_wire_type(text):
    try:
        frame = parse(text)
    except TimeframeError:
        return
    assert parse(frame.id) == frame
    assert msgspec.convert(frame.id, TimeframeId) == frame.id
    assert isinstance(frame, Timeframe)


@given(st.text(max_size=12))
def test_any_text_either_parses_or_is_refused(text):
    matches = re.fullmatch(r"[1-9]\d*(s|m|h|d|w|M)", text, re.ASCII) is not None
    try:
        parse(text)
    except TimeframeError:
        return
    assert matches
