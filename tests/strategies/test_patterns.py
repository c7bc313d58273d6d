"""What a pattern may come to is known before it is matched."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import patterns
from strategies.manifest import VERSION

PIECES = st.sampled_from(
    ["a", "b", ".", "a?", "b?", "a*", "a+", "a{1,9}", "(a|b)", "(a|a)", "(ab)?", "[ab]*", "|", r"\?"]
)
BEFORE = re.compile(r"[0-9]+(?:\.[0-9]+){0,3}(?:[-+.]?[A-Za-z0-9]+)*")
"""The grammar of versions as it was written first: the same texts, in exponentially many ways."""


def test_what_a_match_decides_is_counted():
    assert patterns.choices_of(r"[?*|]+\?(?:a|b)?x{2,3}") == patterns.Choices(2, 2)


def test_without_a_choice_there_is_one_way():
    assert patterns.Choices(0, 0).ways(256) == 1


def test_repeats_share_a_text_out():
    # Two repeats, three characters: 0 to 3 for the first, the rest or less for the second.
    assert patterns.Choices(2, 0).ways(3) == sum(1 for a in range(4) for b in range(4 - a))


@settings(max_examples=200)
@given(st.lists(PIECES, min_size=1, max_size=24).map("".join))
def test_what_is_taken_is_matched_at_once(pattern):
    """Were any of it exponential, this would run into the time limit of every test."""
    if patterns.why_slow(pattern):
        return
    text = "a" * (patterns.choices_of(pattern).longest - 1) + "c"
    assert patterns.matches(pattern, [text]) == (re.fullmatch(pattern, text) is not None)


@given(st.text(alphabet="0a.-+_", max_size=12))
def test_versions_are_those_that_they_were(text):
    assert (BEFORE.fullmatch(text) is None) == (VERSION.fullmatch(text) is None)


def test_a_text_that_is_no_version_is_known_at_once():
    """The first grammar would have run into the time limit of every test, and held the interpreter."""
    assert VERSION.fullmatch("1" + "a" * 100_000 + "!") is None
    assert VERSION.fullmatch("1" + "-a" * 50_000 + "!") is None
