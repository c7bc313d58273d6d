"""Parameters of a strategy: one schema, one check, all errors at once.

The schema stands in config.json (``strategies.schemas`` reads it). ``Schema.check`` turns what a user
gave into the effective parameters, defaults filled in; their ``digest`` is stored with every run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from strategies import patterns
from strategies.errors import ExpressionError, ParametersInvalid, Problem
from strategies.expressions import Expression
from strategies.kinds import KINDS, Kind
from strategies.nearest import suggestion

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Search(Struct, frozen=True, kw_only=True):
    """Where an optimiser looks for a value: ``low`` to ``high``, by ``step`` or on a log scale."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


class Parameter(Struct, frozen=True, kw_only=True):
    """One parameter as its author declared it. ``default`` is UNSET where there is none.

    ``min`` and ``max`` are inclusive; of a list they count its items. ``step`` counts from ``min``, or
    from 0. Durations are seconds. ``coerce`` accepts numbers written as text.
    """

    name: str
    type: Kind
    default: Any = UNSET
    min: float | None = None
    max: float | None = None
    exclusive_min: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] | None = None
    pattern: str | None = None
    unit: str = ""
    required: bool = False
    nullable: bool = False
    coerce: bool = False
    description: str = ""
    group: str = ""
    updatable: bool = False
    optimizable: Search | bool = False
    deprecated: str = ""

    def accept(self, value: Any, *, text: bool = False) -> Any:
        """Return ``value`` canonical; ``ValueError`` says what is allowed. ``text`` reads it from text."""
        if value is None or (text and self.nullable and value in ("", "null", "none")):
            if not self.nullable:
                raise ValueError(f"{self._allowed()}, not null")
            return None
        row = KINDS[self.type]
        read = isinstance(value, str) and (text or self.coerce)
        if read and self.type == "enum":
            value = next((choice for choice in self.choices or () if str(choice) == value), value)
        try:
            value = row.read(value) if read and self.type != "enum" else row.check(value)
        except ValueError as error:
            raise ValueError(f"expected {error}") from None
        self._bounds(len(value) if self.type == "list" else value)
        self._membership(value)
        return value

    def _bounds(self, value: Any) -> None:
        if not KINDS[self.type].ordered and self.type != "list":
            return
        low, high, above, step = self.min, self.max, self.exclusive_min, self.step
        outside = (
            (low is not None and value < low)
            or (high is not None and value > high)
            or (above is not None and value <= above)
        )
        if outside:
            raise ValueError(f"expected {self._allowed()}")
        if step is not None:
            steps = (value - (low or 0)) / step
            # So small a step that there are more than a float can count is nobody's.
            if not math.isfinite(steps) or not math.isclose(steps, round(steps), abs_tol=1e-9):
                raise ValueError(f"expected {low or 0:g} plus a multiple of {step:g}")

    def _membership(self, value: Any) -> None:
        items = value if self.type == "list" else [value]
        if self.choices is not None:
            # True == 1 in Python; as a choice it is another thing.
            known = {(type(choice), choice) for choice in self.choices}
            plain = (str, int, float, bool)  # what a choice is; another thing may have no hash
            wrong = [item for item in items if type(item) not in plain or (type(item), item) not in known]
            if wrong:
                near = suggestion(str(wrong[0]), map(str, self.choices)) if isinstance(wrong[0], str) else ""
                listed = ", ".join(map(repr, self.choices))
                raise ValueError(f"expected one of {listed}{near if 'mean' in near else ''}")
        if self.pattern is not None and not patterns.matches(self.pattern, items):
            longest = patterns.choices_of(self.pattern).longest
            raise ValueError(f"expected text of at most {longest} characters like {self.pattern}")

    def _allowed(self) -> str:
        noun = {"integer": "a whole number", "list": "a number of items"}.get(self.type, f"a {self.type}")
        unit = f" {self.unit}" if self.unit else ""
        if self.min is not None and self.max is not None:
            return f"{noun} from {self.min:g} to {self.max:g}{unit}"
        parts = [
            f"{word} {bound:g}"
            for word, bound in (
                ("of at least", self.min),
                ("above", self.exclusive_min),
                ("of at most", self.max),
            )
            if bound is not None
        ]
        return f"{noun} {' and '.join(parts)}{unit}".strip() if parts else noun

    def json_schema(self) -> dict[str, Any]:
        """Return this parameter in JSON Schema 2020-12."""
        schema: dict[str, Any] = dict(KINDS[self.type].json_schema)
        low, high = ("minItems", "maxItems") if self.type == "list" else ("minimum", "maximum")
        least = schema.get("minimum")  # of the type itself, which a parameter can only raise
        facts = {
            low: self.min if least is None or self.min is None else max(least, self.min),
            high: self.max,
            "exclusiveMinimum": self.exclusive_min,
            "multipleOf": self.step if self.step and not (self.min or 0) % self.step else None,
            "description": self.description or None,
            "deprecated": bool(self.deprecated) or None,
            "default": None if self.default is UNSET else self.default,
        }
        schema.update({key: _whole(value) for key, value in facts.items() if value is not None})
        inner = schema.setdefault("items", {}) if self.type == "list" else schema
        if self.choices is not None:
            inner["enum"] = [*self.choices, None] if self.nullable and inner is schema else list(self.choices)
        if self.pattern is not None:
            inner["pattern"] = f"^(?:{self.pattern})$"
        if self.nullable and "type" in schema:
            types = schema["type"]
            schema["type"] = [*(types if isinstance(types, list) else [types]), "null"]
        return schema


class Checked(Struct, frozen=True):
    """Effective parameters, and every problem; with problems the values are what was right of them."""

    values: dict[str, Any]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


class Schema(Struct, frozen=True):
    """All parameters of a strategy by name, and the constraints between them."""

    parameters: dict[str, Parameter] = {}
    constraints: tuple[Expression, ...] = ()

    def check(self, given: Mapping[str, Any], *, text: bool = False) -> Checked:
        """Return effective parameters and all problems. ``text``: values are as typed on a command line."""
        values, problems, warnings = {}, [], []
        for name in given:
            if name not in self.parameters:
                near = suggestion(str(name), self.parameters)
                problems.append(Problem(f"parameters.{name}", f"unknown parameter{near}"))
        for name, parameter in self.parameters.items():
            if name not in given:
                if isinstance(parameter.default, UnsetType):
                    problems.append(Problem(f"parameters.{name}", "is required"))
                else:
                    values[name] = parameter.default
                continue
            if parameter.deprecated:
                warnings.append(f"parameter {name} is deprecated: {parameter.deprecated}")
            try:
                values[name] = parameter.accept(given[name], text=text)
            except ValueError as error:
                problems.append(Problem(f"parameters.{name}", f"{_shown(given[name])}: {error}"))
        problems += self._violations(values)
        return Checked(values, tuple(problems), tuple(warnings))

    def effective(self, given: Mapping[str, Any], *, text: bool = False) -> dict[str, Any]:
        """Return effective parameters; ``ParametersInvalid`` with every problem."""
        checked = self.check(given, text=text)
        if checked.problems:
            raise ParametersInvalid(checked.problems)
        return checked.values

    def update(
        self, current: Mapping[str, Any], changes: Mapping[str, Any], *, text: bool = False
    ) -> dict[str, Any]:
        """Return ``current`` with ``changes``; refused are keys that are not flagged ``updatable``."""
        fixed = [
            Problem(f"parameters.{name}", "cannot change while running: not updatable")
            for name in changes
            if name in self.parameters and not self.parameters[name].updatable
        ]
        checked = self.check({**current, **changes}, text=text)
        if fixed or checked.problems:
            raise ParametersInvalid([*fixed, *checked.problems])
        return checked.values

    def _violations(self, values: Mapping[str, Any]) -> list[Problem]:
        """Judge the constraints of which every parameter is sound: a wrong value is one error, not three."""
        problems = []
        for constraint in self.constraints:
            if not constraint.names <= values.keys():
                continue
            try:
                broken = "" if constraint.holds(values) else f"{constraint.text} does not hold"
            except ExpressionError as error:
                broken = str(error)
            if broken:
                facts = ", ".join(f"{name}={values[name]!r}" for name in sorted(constraint.names))
                problems.append(Problem("constraints", f"{broken} ({facts})"))
        return problems

    def json_schema(self) -> dict[str, Any]:
        """Return the schema as a JSON Schema 2020-12 document; constraints, which it cannot say, as text."""
        required = [name for name, p in self.parameters.items() if isinstance(p.default, UnsetType)]
        document: dict[str, Any] = {
            "$schema": DIALECT,
            "type": "object",
            "properties": {name: p.json_schema() for name, p in self.parameters.items()},
            "required": required,
            "additionalProperties": False,
        }
        if self.constraints:
            document["$comment"] = "; ".join(constraint.text for constraint in self.constraints)
        return document


def digest(parameters: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of effective parameters: the same for the same values in any order."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def coerce(text: str) -> Any:
    """Return what ``text`` means where no schema says: JSON if it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=lambda word: word)  # NaN is a word here, no number
    except json.JSONDecodeError:
        return text


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
