"""What commands carry and answer: JSON within bounds, whoever wrote it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.errors import JsonRefused
from strategies.json_values import DEPTH, LARGEST_INT, LEAST_INT, MOST, pack, unpack

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(LEAST_INT, LARGEST_INT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@given(VALUES)
def test_what_is_packed_is_json_and_comes_back_as_it_was(value):
    packed = pack(value, "it")
    assert value == unpack(packed, "it")
    assert value == json.loads(packed)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(data):
    try:
        value = unpack(data, "it")
    except JsonRefused:
        return
    assert value == unpack(pack(value, "it"), "it")


def test_numbers_and_arrays_of_numpy_become_what_json_has():
    given = {
        "a": np.float64(1.5),
        "b": np.int64(3),
        "c": np.bool_(1),
        "d": np.array([[1, 2], [3, 4]]),
        "e": (1, "x"),
    }
    assert {"a": 1.5, "b": 3, "c": True, "d": [[1, 2], [3, 4]], "e": [1, "x"]} == unpack(
        pack(given, "it"), "it"
    )


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (math.nan, "it is nan, for which JSON has no word: say None"),
        ({"a": [1, math.inf]}, "it.a[1] is inf, for which JSON has no word: say None"),
        (np.array([1.0, np.nan]), "it[1] is nan, for which JSON has no word: say None"),
        (2**64, "it is an integer of more than 64 bits"),
        ({"a\nb": math.nan}, "it.'a\\nb' is nan, for which JSON has no word: say None"),
        ({1: 2}, "it has the key '1': in JSON a key is text"),
        ({"a": b"x"}, "it.a is a bytes, which JSON does not have: None, bool, int, float, str, list, dict"),
        (np.longdouble(1), "it is a longdouble, which JSON does not have"),
        ("\ud800", "it has half a surrogate pair, which is no text"),
        (nested(DEPTH + 1), f"it{'[0]' * DEPTH} is nested deeper than {DEPTH}"),
        ("x" * (MOST - 1), f"it has {MOST + 1:,} bytes as JSON: at most {MOST:,} are allowed"),
        ([0] * MOST, f"it is too large: at most {MOST:,} bytes as JSON are allowed"),
    ],
)
def test_what_json_has_no_word_for_is_refused_by_its_place(value, line):
    with pytest.raises(JsonRefused) as refused:
        pack(value, "it")
    assert line == str(refused.value)


def test_what_is_not_known_yet_is_null_in_an_answer_and_nothing_else_is():
    given = {"a": math.nan, "b": [np.float64("nan"), 1], "c": np.array([np.nan, 2.0]), "d": 2**63}
    assert {"a": None, "b": [None, 1], "c": [None, 2.0], "d": 2**63} == unpack(
        pack(given, "it", unknown=True), "it"
    )
    for beyond in (math.inf, 10**400):
        with pytest.raises(JsonRefused):
            pack(beyond, "it", unknown=True)


def test_the_deepest_and_the_largest_pass():
    assert nested(DEPTH) == unpack(pack(nested(DEPTH), "it"), "it")
    largest = "x" * (MOST - 2)
    assert largest == unpack(pack(largest, "it"), "it")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[" * MOST,
        b"[1",
        b"NaN",
        b"1e999",
        b'"\\ud800"',
        b'"\xff"',
        b"1" * 5_000,
        b'"' + b"x" * MOST + b'"',
    ],
)
def test_what_a_hostile_process_may_say_instead_is_refused(data):
    with pytest.raises(JsonRefused):
        unpack(data, "it")


def test_a_list_that_holds_itself_ends():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(JsonRefused, match="nested deeper"):
        pack(endless, "it")
