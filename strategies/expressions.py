"""Constraints between parameters, as in ``fast_period < slow_period``: parsed once, evaluated without eval.

The language is the part of Python's that decides and cannot run: comparisons (chained too), ``and or not``,
``+ - * / // %`` on numbers, ``in`` a list of constants, parameter names, numbers, text, True, False, None.
No call, no attribute, no subscript, no power. As with a CHECK constraint of SQL, a comparison by size with
a value that is absent (None) is unknown, and what is unknown does not refuse.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from msgspec import Struct

from strategies.errors import ExpressionError
from strategies.nearest import suggestion

MAX_LENGTH: Final = 500
MAX_NODES: Final = 100

_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_BY_SIZE: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_CONSTANTS: Final = (bool, int, float, str, type(None))


class _Unknown:
    """The truth of a comparison with an absent value; neither true nor false."""


_UNKNOWN: Final = _Unknown()


class Expression(Struct, frozen=True):
    """One constraint: ``text`` as written and the ``names`` it mentions."""

    text: str
    names: frozenset[str]
    tree: Any

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether ``values`` satisfy it; ``ExpressionError`` where they cannot be compared."""
        try:
            result = _evaluate(self.tree, values)
        except ZeroDivisionError:
            raise ExpressionError(f"{self.text!r} divides by zero") from None
        except (TypeError, OverflowError) as error:
            raise ExpressionError(f"{self.text!r} cannot be evaluated: {error}") from None
        return result is _UNKNOWN or bool(result)


def parse(text: Any, names: Collection[str]) -> Expression:
    """Return the constraint in ``text`` over the parameters ``names``, or say what it may not do."""
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(f"a constraint is text such as 'fast < slow', not {text!r}")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"a constraint of {len(text)} characters, at most {MAX_LENGTH}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"{text!r} is not an expression: {reason}") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise ExpressionError(f"{text[:60]!r}... has {len(nodes)} parts, at most {MAX_NODES}")
    for node in nodes:
        _allow(node, text, names)
    if not isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Name):
        raise ExpressionError(f"{text!r} decides nothing: compare something, as in 'fast < slow'")
    used = frozenset(node.id for node in nodes if isinstance(node, ast.Name))
    if not used:
        raise ExpressionError(f"{text!r} mentions no parameter")
    return Expression(text, used, tree)


def _allow(node: ast.AST, text: str, names: Collection[str]) -> None:
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ExpressionError(f"{text!r}: no parameter is called {node.id!r}{suggestion(node.id, names)}")
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, _CONSTANTS):
            raise ExpressionError(f"{text!r}: {node.value!r} is no number, text, True, False or None")
    elif isinstance(node, ast.List | ast.Tuple):
        if not all(isinstance(item, ast.Constant) for item in node.elts):
            raise ExpressionError(f"{text!r}: a list holds constants only")
    elif not isinstance(
        node,
        ast.BoolOp | ast.boolop | ast.Compare | ast.BinOp | ast.UnaryOp | ast.Not | ast.USub | ast.Load,
    ) and type(node) not in {*_COMPARE, *_ARITHMETIC}:
        raise ExpressionError(
            f"{text!r}: {type(node).__name__} is not allowed, only comparisons, and, or, not, + - * / // %"
        )


def _evaluate(node: ast.AST, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return values[node.id]
        case ast.List() | ast.Tuple():
            return [_evaluate(item, values) for item in node.elts]
        case ast.BoolOp():
            return _both_or_either(node, values)
        case ast.UnaryOp():
            operand = _evaluate(node.operand, values)
            if isinstance(node.op, ast.Not):
                return operand if operand is _UNKNOWN else not operand
            return None if operand is None else -_number(operand)
        case ast.BinOp():
            left, right = _evaluate(node.left, values), _evaluate(node.right, values)
            # Numbers only: "a" * 10**9 would be a gigabyte of text.
            absent = left is None or right is None
            return None if absent else _ARITHMETIC[type(node.op)](_number(left), _number(right))
        case ast.Compare():
            return _compare(node, values)
    raise TypeError(f"{type(node).__name__} cannot be evaluated")  # parse refused it before


def _both_or_either(node: ast.BoolOp, values: Mapping[str, Any]) -> Any:
    """Kleene's logic: False decides an ``and``, True an ``or``, else one unknown makes all unknown."""
    results = [_evaluate(part, values) for part in node.values]
    known = [bool(result) for result in results if result is not _UNKNOWN]
    decisive = isinstance(node.op, ast.Or)
    if decisive in known:
        return decisive
    return not decisive if len(known) == len(results) else _UNKNOWN


def _compare(node: ast.Compare, values: Mapping[str, Any]) -> Any:
    left, result = _evaluate(node.left, values), True
    for op, part in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(part, values)
        if isinstance(op, _BY_SIZE) and (left is None or right is None):
            return _UNKNOWN
        result = result and bool(_COMPARE[type(op)](left, right))
        left = right
    return result


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value
