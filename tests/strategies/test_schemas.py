"""A schema is checked as strictly as what it checks: every mistake of config.json at once, by path."""

from __future__ import annotations

import pytest

from strategies.errors import SchemaInvalid
from strategies.parameters import Search
from strategies.schemas import parse, read


def wrong(**facts) -> list[str]:
    """The problems of one parameter ``p``."""
    _, problems = read([{"name": "p", "type": "integer", "default": 1, **facts}])
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"type": "int"}, "parameters.p.type: 'int' is no type: one of integer, number"),
        ({"type": None}, "parameters.p.type: is missing"),
        ({"defualt": 3}, "parameters.p.defualt: unknown key; did you mean 'default'?"),
        ({"default": "1"}, "parameters.p.default: '1': expected a whole number"),
        ({"default": 99, "max": 10}, "parameters.p.default: 99: expected a whole number of at most 10"),
        ({"min": 5, "max": 1}, "parameters.p.min: 5 is above max, 1"),
        ({"exclusive_min": 5, "max": 5}, "parameters.p.exclusive_min: 5 leaves nothing below max, 5"),
        ({"min": "1"}, "parameters.p.min: '1': expected a whole number"),
        ({"min": float("nan")}, "parameters.p.min: nan: expected a whole number"),
        ({"step": 0}, "parameters.p.step: 0: expected a number above 0"),
        ({"pattern": "a"}, "parameters.p.pattern: means nothing for type integer"),
        ({"type": "boolean", "default": True, "min": 1}, "parameters.p.min: means nothing for type boolean"),
        ({"type": "enum"}, "parameters.p.choices: an enum needs choices"),
        ({"choices": []}, "parameters.p.choices: expected a list of 1 to 1000"),
        ({"choices": [1, "2"]}, "parameters.p.choices[1]: '2': expected a whole number"),
        ({"choices": [[1]]}, "parameters.p.choices[0]: [1]: expected text, a number, true or false"),
        ({"required": "yes"}, "parameters.p.required: 'yes': expected true or false"),
        ({"description": 3}, "parameters.p.description: 3: expected text"),
        ({"default": None}, "parameters.p.default: is missing: give one, or say required or nullable"),
        (
            {"optimizable": {"low": 1}},
            "parameters.p.optimizable: low and high are values of the parameter: 'high'",
        ),
        (
            {"optimizable": {"low": 9, "high": 1}},
            "parameters.p.optimizable: needs an ordered type, and low below",
        ),
        (
            {"optimizable": {"low": 1, "high": 2, "lgo": 1}},
            "parameters.p.optimizable.lgo: unknown key; did you mean",
        ),
        ({"optimizable": {"low": 0, "high": 2, "log": True}}, "parameters.p.optimizable.log"),
        ({"optimizable": {"low": 1, "high": 2, "step": -1}}, "parameters.p.optimizable.step: -1"),
    ],
)
def test_a_mistake_is_told_with_its_path(facts, expected):
    assert any(expected in problem for problem in wrong(**facts)), wrong(**facts)


def test_all_mistakes_of_all_parameters_come_at_once():
    with pytest.raises(SchemaInvalid) as caught:
        parse(
            [
                {"name": "a", "type": "integer", "min": "x", "max": [], "colour": 1},
                {"name": "1b", "type": "integer"},
                {"type": "integer", "default": 1},
                "c",
                {"name": "d", "type": "number", "default": 1},
                {"name": "d", "type": "number", "default": 1},
            ],
            ["d < e", 3],
        )
    assert [problem.path for problem in caught.value.problems] == [
        "parameters[1]",
        "parameters[2]",
        "parameters[3]",
        "parameters.a.colour",
        "parameters.a.min",
        "parameters.a.max",
        "parameters.d",
        "constraints[0]",
        "constraints[1]",
    ]


@pytest.mark.parametrize("raw", ["text", 3, None])
def test_parameters_are_a_list_or_an_object(raw):
    _, [problem] = read(raw)
    assert problem.path == "parameters"


def test_parameters_may_be_an_object_by_name():
    assert parse({"a": {"type": "integer", "default": 1}}).effective({}) == {"a": 1}


def test_constraints_are_a_list():
    _, [problem] = read([], "a < b")
    assert str(problem) == "constraints: expected a list of texts, not str"


def test_defaults_that_break_a_constraint_are_a_mistake_of_the_schema():
    pair = [{"name": n, "type": "integer", "default": d} for n, d in (("fast", 30), ("slow", 10))]
    _, [problem] = read(pair, ["fast < slow"])
    assert str(problem) == "constraints: the defaults: fast < slow does not hold (fast=30, slow=10)"


def test_where_to_optimise_is_kept():
    parameter = parse(
        [{"name": "p", "type": "number", "default": 1, "optimizable": {"low": 0.1, "high": 10, "log": True}}]
    ).parameters["p"]
    assert parameter.optimizable == Search(low=0.1, high=10.0, log=True)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|aa)*",
        "(?:a*)*b",
        "(a)\\1",
        "(?=a)a",
        "a*a*a*a*",
        "(",
        "(?P<n>a)",
        "x" * 201,
        "([a-z]+){2,}",
        "a?" * 40 + "a" * 40,
        "(a|a)" * 30 + "b",
        "(a?|b){0,1}" * 8,
        "a*a*a*" + "b?" * 4,
        "a{99999999999999999999}",
    ],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern):
    [problem] = wrong(type="string", default="a", pattern=pattern)
    assert problem.startswith("parameters.p.pattern:")


@pytest.mark.parametrize(
    "pattern", ["[A-Z]{3}", "(EUR|USD)/[A-Z]+", r"\d+\.\d*", "[(+*]+", r"\(a\)", "(?:ab|cd)?x"]
)
def test_a_plain_pattern_is_allowed(pattern):
    assert parse([{"name": "p", "type": "string", "required": True, "pattern": pattern}])


def test_the_worst_pattern_that_is_allowed_ends():
    """Some thousand steps; were it exponential, this would run into the time limit of every test."""
    schema = parse([{"name": "p", "type": "string", "required": True, "pattern": "a*a*a*b"}])
    assert schema.check({"p": "a" * 71}).problems
    assert schema.check({"p": "a" * 100_000}).problems  # longer is refused before it is matched


LISTED = {"name": "p", "type": "list", "required": True}


@pytest.mark.parametrize("item", [1, None, True, [1], {"a": 1}])
def test_an_item_that_is_no_text_is_not_like_a_pattern(item):
    schema = parse([{**LISTED, "pattern": "a*"}])
    [problem] = schema.check({"p": [item]}).problems
    assert "expected text of at most 256 characters like a*" in str(problem)


@pytest.mark.parametrize("item", [None, [1], {"a": 1}])
def test_an_item_without_a_hash_is_none_of_the_choices(item):
    [problem] = parse([{**LISTED, "choices": [1, 2]}]).check({"p": [item]}).problems
    assert "expected one of 1, 2" in str(problem)


def test_a_list_is_matched_as_long_as_that_takes_no_time():
    schema = parse([{**LISTED, "pattern": "a*a*a*"}])
    assert not schema.check({"p": ["a" * 30] * 100}).problems
    [problem] = schema.check({"p": ["a" * 70] * 1000}).problems
    assert "expected fewer or shorter items" in str(problem)


def test_a_step_too_small_to_count_is_a_mistake_and_no_fault():
    [problem] = wrong(type="number", default=1e10, step=1e-300)
    assert "expected a number plus a multiple" in problem or "multiple of 1e-300" in problem


@pytest.mark.parametrize("key", ["default", "min", "max", "step", "choices", "exclusive_min"])
def test_a_number_that_no_float_holds_is_a_mistake_and_no_fault(key):
    value = [10**400] if key == "choices" else 10**400
    assert wrong(**{"type": "number", key: value})
    assert parse([{"name": "p", "type": "number", "default": 1}]).check({"p": 10**400}).problems


def test_a_name_as_long_as_a_book_is_compared_with_none():
    """The square of 100,000 characters would run into the time limit of every test."""
    words = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) * 5
    assert wrong(**{words: 1})
    parse([{"name": "p", "type": "enum", "choices": [words[1:]], "required": True}]).check({"p": words})
