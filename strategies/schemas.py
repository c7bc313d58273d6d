"""Reading a parameter schema from config.json: the schema is checked as strictly as what it will check.

``parameters`` is a list of objects with a ``name``, or an object of them by name. Patterns run in the
daemon over text that users type, so only those are allowed that cannot take long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET

from strategies.errors import ExpressionError, Problem, SchemaInvalid
from strategies.expressions import Expression
from strategies.expressions import parse as parse_expression
from strategies.kinds import KINDS
from strategies.nearest import suggestion
from strategies.parameters import Parameter, Schema, Search
from strategies.patterns import why_slow

MAX_PARAMETERS: Final = 200
MAX_CHOICES: Final = 1_000
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_KEYS: Final = Parameter.__struct_fields__
_NUMBERS: Final = ("min", "max", "exclusive_min", "step")
_TEXTS: Final = ("unit", "description", "group")
_FLAGS: Final = ("required", "nullable", "coerce", "updatable")
_SEARCH: Final = Search.__struct_fields__


def read(parameters: Any, constraints: Any = ()) -> tuple[Schema, list[Problem]]:
    """Return the schema and everything that is wrong with it; what is right is in the schema anyway."""
    problems: list[Problem] = []
    found: dict[str, Parameter] = {}
    for path, name, raw in _entries(parameters, problems):
        if name in found:
            problems.append(Problem(path, f"parameter {name!r} is declared twice"))
            continue
        reader = _Reader(path, raw)
        parameter = reader.read(name)
        problems += reader.problems
        if parameter is not None:
            found[name] = parameter
    schema = Schema(found, tuple(_constraints(constraints, found, problems)))
    if not problems:
        problems += _defaults_agree(schema)
    return schema, problems


def parse(parameters: Any, constraints: Any = ()) -> Schema:
    """Return the schema; ``SchemaInvalid`` with every problem."""
    schema, problems = read(parameters, constraints)
    if problems:
        raise SchemaInvalid(problems)
    return schema


def _entries(raw: Any, problems: list[Problem]) -> list[tuple[str, str, Mapping[str, Any]]]:
    if isinstance(raw, Mapping):
        listed = [(f"parameters.{name}", name, entry) for name, entry in raw.items()]
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        listed = [
            (f"parameters[{at}]", entry.get("name") if isinstance(entry, Mapping) else None, entry)
            for at, entry in enumerate(raw)
        ]
    else:
        problems.append(Problem("parameters", f"expected a list of parameters, not {type(raw).__name__}"))
        return []
    if len(listed) > MAX_PARAMETERS:
        problems.append(Problem("parameters", f"{len(listed)} parameters, at most {MAX_PARAMETERS}"))
        return []
    entries = []
    for path, name, entry in listed:
        if not isinstance(entry, Mapping):
            problems.append(Problem(path, f"expected an object, not {type(entry).__name__}"))
        elif not isinstance(name, str) or NAME.fullmatch(name) is None:
            said = "has no name" if name is None else f"{name!r} is no name"
            problems.append(
                Problem(path, f"{said}: letters, digits and _, at most 64, not starting with a digit")
            )
        else:
            entries.append((f"parameters.{name}", name, entry))
    return entries


def _constraints(raw: Any, names: Mapping[str, Parameter], problems: list[Problem]) -> list[Expression]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        problems.append(Problem("constraints", f"expected a list of texts, not {type(raw).__name__}"))
        return []
    parsed = []
    for at, text in enumerate(raw[:MAX_PARAMETERS]):
        try:
            parsed.append(parse_expression(text, names))
        except ExpressionError as error:
            problems.append(Problem(f"constraints[{at}]", str(error)))
    return parsed


def _defaults_agree(schema: Schema) -> list[Problem]:
    """A schema whose own defaults break its constraints can never be started as it is."""
    defaults = {name: p.default for name, p in schema.parameters.items() if p.default is not UNSET}
    return [
        Problem(problem.path, f"the defaults: {problem.message}")
        for problem in schema.check(defaults).problems
        if problem.path == "constraints"
    ]


class _Reader:
    """Reads one parameter's declaration and collects what is wrong with it."""

    def __init__(self, path: str, raw: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._path = path
        self._raw = raw

    def read(self, name: str) -> Parameter | None:
        """Return the parameter, or None if it cannot be one."""
        raw = self._raw
        for key in raw:
            if key not in _KEYS:
                self._wrong(key, f"unknown key{suggestion(str(key), _KEYS)}")
        kind = raw.get("type")
        if not isinstance(kind, str) or kind not in KINDS:
            said = "is missing" if kind is None else f"{kind!r} is no type"
            self._wrong("type", f"{said}: one of {', '.join(KINDS)}")
            return None
        facts: dict[str, Any] = {"name": name, "type": kind}
        facts.update({key: self._typed(key, str, "text") for key in _TEXTS if key in raw})
        facts.update({key: self._typed(key, bool, "true or false") for key in _FLAGS if key in raw})
        facts.update({key: self._number(key, kind) for key in _NUMBERS if raw.get(key) is not None})
        facts["deprecated"] = self._deprecated()
        facts["pattern"] = self._pattern(kind)
        facts["choices"] = self._choices(kind)
        self._consistent(facts)
        if self.problems:
            return None
        parameter = Parameter(**facts)
        return self._with_default(parameter, self._search(parameter))

    def _wrong(self, key: str, message: str) -> None:
        self.problems.append(Problem(f"{self._path}.{key}", message))

    def _typed(self, key: str, kind: type, noun: str) -> Any:
        value = self._raw[key]
        if not isinstance(value, kind):
            self._wrong(key, f"{value!r}: expected {noun}")
        return value

    def _number(self, key: str, kind: str) -> Any:
        value = self._raw[key]
        if not KINDS[kind].ordered and not (kind == "list" and key in {"min", "max"}):
            self._wrong(key, f"means nothing for type {kind}")
            return None
        try:
            number = KINDS["integer" if kind in {"integer", "list"} else "number"].check(value)
        except ValueError as error:
            self._wrong(key, f"{value!r}: expected {error}")
            return None
        if key == "step" and number <= 0:
            self._wrong(key, f"{value!r}: expected a number above 0")
        return number

    def _deprecated(self) -> str:
        value = self._raw.get("deprecated", "")
        if not isinstance(value, str | bool):
            self._wrong("deprecated", f"{value!r}: expected true, false or why, as text")
            return ""
        return value if isinstance(value, str) else "it will go" if value else ""

    def _pattern(self, kind: str) -> str | None:
        pattern = self._raw.get("pattern")
        if pattern is None:
            return None
        why = "" if kind in {"string", "list"} else f"means nothing for type {kind}"
        why = why or ("" if isinstance(pattern, str) else f"{pattern!r}: expected text")
        why = why or why_slow(pattern)
        if why:
            self._wrong("pattern", why)
            return None
        return str(pattern)

    def _choices(self, kind: str) -> tuple[Any, ...] | None:
        choices = self._raw.get("choices")
        if choices is None:
            if kind == "enum":
                self._wrong("choices", "an enum needs choices, a list of values")
            return None
        if not isinstance(choices, list) or not 1 <= len(choices) <= MAX_CHOICES:
            self._wrong("choices", f"expected a list of 1 to {MAX_CHOICES} values")
            return None
        checked = []
        for at, choice in enumerate(choices):
            if not isinstance(choice, str | int | float | bool):
                self._wrong(f"choices[{at}]", f"{choice!r}: expected text, a number, true or false")
                continue
            try:
                checked.append(choice if kind == "list" else KINDS[kind].check(choice))
            except ValueError as error:
                self._wrong(f"choices[{at}]", f"{choice!r}: expected {error}")
        return tuple(checked)

    def _consistent(self, facts: Mapping[str, Any]) -> None:
        low, high, above = facts.get("min"), facts.get("max"), facts.get("exclusive_min")
        if low is not None and high is not None and low > high:
            self._wrong("min", f"{low:g} is above max, {high:g}")
        if above is not None and high is not None and above >= high:
            self._wrong("exclusive_min", f"{above:g} leaves nothing below max, {high:g}")

    def _search(self, parameter: Parameter) -> Search | bool:
        raw = self._raw.get("optimizable", False)
        if isinstance(raw, bool):
            return raw
        if not isinstance(raw, Mapping):
            self._wrong("optimizable", f"{raw!r}: expected true, false or an object")
            return False
        for key in raw:
            if key not in _SEARCH:
                self._wrong(f"optimizable.{key}", f"unknown key{suggestion(str(key), _SEARCH)}")
        try:
            low, high = (parameter.accept(raw[key]) for key in ("low", "high"))
        except (KeyError, ValueError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self._wrong("optimizable", f"low and high are values of the parameter: {said}")
            return False
        step, log = raw.get("step"), raw.get("log", False)
        if not KINDS[parameter.type].ordered or low >= high:
            self._wrong("optimizable", "needs an ordered type, and low below high")
        elif step is not None and (isinstance(step, bool) or not isinstance(step, int | float) or step <= 0):
            self._wrong("optimizable.step", f"{step!r}: expected a number above 0")
        elif not isinstance(log, bool) or (log and low <= 0):
            self._wrong("optimizable.log", f"{log!r}: expected true or false, and low above 0 if true")
        else:
            return Search(low=low, high=high, step=step, log=log)
        return False

    def _with_default(self, parameter: Parameter, search: Search | bool) -> Parameter | None:
        default = self._raw.get("default", UNSET)
        if default is None and not parameter.nullable:
            default = UNSET  # "default": null of a parameter that is not nullable: there is none
        if default is UNSET and parameter.nullable and not parameter.required:
            default = None
        if default is UNSET and not parameter.required:
            self._wrong("default", "is missing: give one, or say required or nullable")
        if default is not UNSET:
            try:
                default = parameter.accept(default)
            except ValueError as error:
                self._wrong("default", f"{default!r}: {error}")
        if self.problems:
            return None
        facts = {name: getattr(parameter, name) for name in _KEYS}
        return Parameter(**{**facts, "default": default, "optimizable": search})
