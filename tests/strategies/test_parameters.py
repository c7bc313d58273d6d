"""Parameters: all errors at once, by path, with what is allowed; defaults, text, hash, JSON Schema."""

from __future__ import annotations

import json
import math

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strategies import schemas
from strategies.errors import ParametersInvalid
from strategies.parameters import DIALECT, coerce, digest
from strategies.schemas import parse

AVERAGES = [
    {"name": "fast", "type": "integer", "default": 10, "min": 5, "max": 50},
    {"name": "slow", "type": "integer", "default": 30, "min": 10, "max": 200, "unit": "candles"},
]


def errors(parameters, given, constraints=(), **how) -> list[str]:
    return [str(problem) for problem in parse(parameters, constraints).check(given, **how).problems]


def one(kind: str, value, *, text: bool = False, **facts):
    """Check one value of a required parameter ``p``: the canonical value, or the one error."""
    schema = parse([{"name": "p", "type": kind, "required": True, **facts}])
    checked = schema.check({"p": value}, text=text)
    if checked.problems:
        [problem] = checked.problems
        return str(problem)
    return checked.values["p"]


def test_defaults_fill_in_what_was_not_given():
    assert parse(AVERAGES).effective({"slow": 40}) == {"fast": 10, "slow": 40}


def test_all_errors_come_at_once_each_with_its_path():
    assert errors(AVERAGES, {"fast": "ten", "slow": 500, "slwo": 1, "x": 2}) == [
        "parameters.slwo: unknown parameter; did you mean 'slow'?",
        "parameters.x: unknown parameter; known: fast, slow",
        "parameters.fast: 'ten': expected a whole number",
        "parameters.slow: 500: expected a whole number from 10 to 200 candles",
    ]


def test_an_invalid_set_raises_with_every_problem():
    with pytest.raises(ParametersInvalid) as caught:
        parse(AVERAGES).effective({"fast": 1, "slow": 1})
    assert len(caught.value.problems) == 2


def test_a_constraint_says_itself_and_the_values():
    assert errors(AVERAGES, {"fast": 50, "slow": 20}, ["fast < slow"]) == [
        "constraints: fast < slow does not hold (fast=50, slow=20)"
    ]


def test_a_constraint_over_a_wrong_value_is_not_a_second_error():
    assert errors(AVERAGES, {"fast": 99}, ["fast < slow"]) == [
        "parameters.fast: 99: expected a whole number from 5 to 50"
    ]


def test_a_constraint_that_cannot_be_evaluated_refuses():
    [error] = errors(AVERAGES, {"slow": 10}, ["fast / (slow - 10) > 0"])
    assert error.startswith("constraints: 'fast / (slow - 10) > 0' divides by zero (fast=10, slow=10)")


def test_required_and_nullable():
    schema = [
        {"name": "a", "type": "integer", "required": True},
        {"name": "b", "type": "timeframe", "nullable": True},
    ]
    assert errors(schema, {}) == ["parameters.a: is required"]
    assert parse(schema).effective({"a": 1}) == {"a": 1, "b": None}
    assert errors(schema, {"a": None}) == ["parameters.a: None: a whole number, not null"]


@pytest.mark.parametrize(
    ("kind", "value", "facts", "expected"),
    [
        ("integer", 7, {}, 7),
        ("integer", True, {}, "expected a whole number"),
        ("integer", 7.0, {}, "expected a whole number written without a fraction: 7"),
        ("integer", 7.5, {}, "expected a whole number"),
        ("integer", "7", {}, "expected a whole number"),
        ("integer", "7", {"coerce": True}, 7),
        ("integer", 2**60, {}, "at most 2**53"),
        ("number", 3, {}, 3.0),
        ("number", math.nan, {}, "expected a finite number"),
        ("number", math.inf, {}, "expected a finite number"),
        ("number", "1.5", {"coerce": True}, 1.5),
        ("number", "nan", {"coerce": True}, "expected a finite number"),
        ("number", False, {}, "expected a number"),
        ("number", 0, {"exclusive_min": 0}, "expected a number above 0"),
        ("number", 0.3, {"min": 0.1, "step": 0.1}, 0.3),
        ("number", 0.35, {"min": 0.1, "step": 0.1}, "expected 0.1 plus a multiple of 0.1"),
        ("boolean", True, {}, True),
        ("boolean", 1, {}, "expected true or false"),
        ("string", "x", {}, "x"),
        ("string", 3, {}, "expected text"),
        ("string", "ab1", {"pattern": "[a-z]+[0-9]"}, "ab1"),
        ("string", "ab1x", {"pattern": "[a-z]+[0-9]"}, "like [a-z]+[0-9]"),
        ("string", "x", {"choices": ["a", "b"]}, "expected one of 'a', 'b'"),
        ("enum", "SMA", {"choices": ["SMA", "EMA"]}, "SMA"),
        ("enum", "sma", {"choices": ["SMA", "EMA"]}, "expected one of 'SMA', 'EMA'"),
        ("enum", True, {"choices": [1, 2]}, "expected one of 1, 2"),
        ("timeframe", "60m", {}, "1h"),
        ("timeframe", "soon", {}, "expected a timeframe"),
        ("timeframe", 5, {}, "expected a timeframe"),
        ("symbol", "EUR/USD", {}, "EUR/USD"),
        ("symbol", "a|b", {}, "expected a symbol"),
        ("duration", "5m", {}, 300.0),
        ("duration", 90, {}, 90.0),
        ("duration", "1.5h", {"max": 3600}, "of at most 3600"),
        ("duration", "soon", {}, "expected a duration"),
        ("duration", -1, {}, "0 seconds or more"),
        ("list", ["a"], {}, ["a"]),
        ("list", "a", {}, "expected a list"),
        ("list", ["a", "x"], {"choices": ["a", "b"]}, "expected one of 'a', 'b'"),
        ("list", [], {"min": 1}, "expected a number of items of at least 1"),
    ],
)
def test_every_type_takes_its_own_and_says_what_it_takes(kind, value, facts, expected):
    actual = one(kind, value, **facts)
    if isinstance(expected, str) and str(actual).startswith("parameters.p"):
        assert expected in actual
    else:
        assert (actual, type(actual)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "text", "facts", "expected"),
    [
        ("integer", "12", {}, 12),
        ("integer", "12.0", {}, "expected a whole number"),
        ("number", "1e3", {}, 1000.0),
        ("number", "inf", {}, "expected a finite number"),
        ("boolean", "yes", {}, True),
        ("boolean", "0", {}, False),
        ("boolean", "perhaps", {}, "expected true or false"),
        ("string", "12", {}, "12"),
        ("enum", "2", {"choices": [1, 2]}, 2),
        ("enum", "EMA", {"choices": ["EMA"]}, "EMA"),
        ("enum", "3", {"choices": [1, 2]}, "expected one of 1, 2"),
        ("timeframe", "1h", {}, "1h"),
        ("timeframe", "none", {"nullable": True}, None),
        ("duration", "30", {}, 30.0),
        ("duration", "30s", {}, 30.0),
        ("list", "a, b", {}, ["a", "b"]),
        ("list", "[1, 2]", {}, [1, 2]),
        ("list", "[1,", {}, "expected a list: a,b,c or JSON"),
    ],
)
def test_a_command_line_gives_text_and_the_type_reads_it(kind, text, facts, expected):
    actual = one(kind, text, text=True, **facts)
    if isinstance(actual, str) and actual.startswith("parameters.p"):
        assert expected in actual
    else:
        assert (actual, type(actual)) == (expected, type(expected))


def test_a_long_wrong_value_is_shown_in_short():
    assert len(one("integer", "x" * 10_000)) < 200


def test_a_deprecated_parameter_still_works_and_warns():
    schema = parse([{"name": "p", "type": "integer", "default": 1, "deprecated": "use q"}])
    assert schema.check({"p": 2}).warnings == ("parameter p is deprecated: use q",)
    assert schema.check({}).warnings == ()


def test_only_updatable_parameters_change_while_running():
    schema = parse(
        [*AVERAGES, {"name": "size", "type": "number", "default": 1, "updatable": True}], ["fast < slow"]
    )
    now = schema.effective({})
    assert schema.update(now, {"size": 2}) == {"fast": 10, "slow": 30, "size": 2.0}
    with pytest.raises(ParametersInvalid, match=r"parameters\.fast: cannot change while running"):
        schema.update(now, {"fast": 20, "size": 2})


def test_the_digest_is_of_the_values_not_of_their_order_or_spelling():
    schema = parse([*AVERAGES, {"name": "size", "type": "number", "default": 1}])
    one_way = schema.effective({"fast": 12, "size": 2})
    other = dict(reversed(schema.effective({"size": 2.0, "fast": 12}).items()))
    assert digest(one_way) == digest(other)
    assert digest(one_way) != digest(schema.effective({"fast": 13, "size": 2}))
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_json_schema_says_everything_that_it_can():
    schema = parse(
        [
            {
                "name": "n",
                "type": "integer",
                "default": 6,
                "min": 2,
                "max": 10,
                "step": 2,
                "description": "how many",
            },
            {"name": "x", "type": "number", "required": True, "exclusive_min": 0, "deprecated": True},
            {"name": "k", "type": "enum", "choices": ["a", "b"], "nullable": True},
            {"name": "s", "type": "string", "default": "ab", "pattern": "[a-z]+"},
            {"name": "l", "type": "list", "default": [], "max": 3, "choices": [1, 2]},
        ],
        ["n < x"],
    )
    document = schema.json_schema()
    assert json.loads(json.dumps(document)) == document
    assert document == {
        "$schema": DIALECT,
        "type": "object",
        "additionalProperties": False,
        "required": ["x"],
        "$comment": "n < x",
        "properties": {
            "n": {
                "type": "integer",
                "minimum": 2,
                "maximum": 10,
                "multipleOf": 2,
                "default": 6,
                "description": "how many",
            },
            "x": {"type": "number", "exclusiveMinimum": 0, "deprecated": True},
            "k": {"enum": ["a", "b", None]},
            "s": {"type": "string", "maxLength": 10_000, "default": "ab", "pattern": "^(?:[a-z]+)$"},
            "l": {"type": "array", "maxItems": 3, "items": {"enum": [1, 2]}, "default": []},
        },
    }


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("1.5", 1.5), ("true", True), ("abc", "abc"), ("NaN", "NaN")]
)
def test_without_a_schema_text_is_json_or_itself(text, value):
    assert coerce(text) == value


DECLARED = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["integer", "number", "boolean", "string", "timeframe", "symbol", "duration"]
        ),
        "min": st.none() | st.integers(-5, 5),
        "max": st.none() | st.integers(6, 12),
        "step": st.none() | st.sampled_from([1, 2, 0.5]),
        "nullable": st.booleans(),
        "pattern": st.none() | st.just("[a-c]+"),
    }
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-20, 20),
    st.floats(-20, 20).filter(lambda value: not value.is_integer()),
    st.sampled_from(["abc", "", "5m", "61m", "EURUSD", "EUR USD", "30s", "1x", "x" * 20_000]),
    st.lists(st.integers(), max_size=2),
)


LIMITS = {"min", "max", "step"}
SAID_OF = {"integer": LIMITS, "number": LIMITS, "duration": LIMITS, "string": {"pattern"}}


@given(DECLARED, st.dictionaries(st.sampled_from(["p", "q"]), VALUES, max_size=2))
def test_what_the_json_schema_accepts_is_accepted(declared, values):
    """Apart from what JSON Schema cannot say: 5.0 is an integer there (6.1.1), and texts have no minimum."""
    kind = declared["type"]
    assume(not (kind == "duration" and isinstance(values.get("p"), str)))
    said = {key for key, value in declared.items() if value is not None} & {
        *SAID_OF.get(kind, ()),
        "nullable",
    }
    schema, problems = schemas.read(
        [{"name": "p", "type": kind, "required": True, **{key: declared[key] for key in said}}], []
    )
    assume(not problems)
    document = schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(document)
    if jsonschema.Draft202012Validator(document).is_valid(values):
        assert schema.check(values).problems == ()
