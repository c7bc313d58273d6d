"""The types that a parameter can have: what each accepts, and what it makes of text.

One row a type (``KINDS``). ``check`` takes a value as JSON or Python gives it and returns it canonical;
``read`` takes text, as a command line gives it. Both raise ``ValueError`` with what is allowed.
Durations are seconds.
"""

# ruff: noqa: TRY004  (a wrong type is a wrong value here: one kind of error for whoever asks)
from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from bus import timeframes, topics

Kind: TypeAlias = Literal[
    "integer", "number", "boolean", "string", "enum", "timeframe", "symbol", "duration", "list"
]

MAX_TEXT: Final = 10_000
MAX_ITEMS: Final = 1_000
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_TRUE: Final = {"true", "yes", "on", "1"}
_FALSE: Final = {"false", "no", "off", "0"}


class Row(Struct, frozen=True):
    """One type: its two readers, whether ``min`` and ``max`` mean something, and its JSON Schema."""

    check: Callable[[Any], Any]
    read: Callable[[str], Any]
    ordered: bool
    json_schema: Mapping[str, Any]


def _integer(value: Any) -> int:
    # bool is a subclass of int: True as a period of 1 is always a mistake.
    if isinstance(value, float) and value.is_integer():
        raise ValueError(f"a whole number written without a fraction: {int(value)}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number")
    if abs(value) > 2**53:
        raise ValueError("a whole number of at most 2**53, which every JSON reader keeps exact")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number")
    if abs(value) > 1e15:  # of whole numbers, too, that no float can hold
        raise ValueError("a number of at most 1e15")
    return float(value)  # one canonical form: 10 and 10.0 are one parameter and one hash


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    if len(value) > MAX_TEXT:
        raise ValueError(f"text of at most {MAX_TEXT} characters")
    return value


def _timeframe(value: Any) -> str:
    try:
        return timeframes.parse(_text(value)).id
    except ValueError:
        raise ValueError(f"a timeframe: {timeframes.ALLOWED}") from None


def _symbol(value: Any) -> str:
    if not isinstance(value, str) or not topics.is_symbol(value):
        raise ValueError(f"a symbol: {topics.SYMBOL_ALLOWED}")
    return value


def _duration(value: Any) -> float:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("a duration: seconds, or a number with ms, s, m, h, d or w, such as 30s")
        return float(match[1]) * _SECONDS[match[2]]
    seconds = _number(value)
    if seconds < 0:
        raise ValueError("a duration of 0 seconds or more")
    return seconds


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("a list")
    if len(value) > MAX_ITEMS:
        raise ValueError(f"a list of at most {MAX_ITEMS} values")
    return list(value)


def _choice(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError("one of the choices")
    return value


def _read_integer(text: str) -> int:
    try:
        return _integer(int(text))
    except ValueError:
        raise ValueError("a whole number") from None


def _read_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number") from None
    return _number(number)


def _read_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def _read_duration(text: str) -> float:
    try:
        return _duration(float(text))
    except ValueError:
        return _duration(text)


def _read_list(text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    try:
        return _list(json.loads(text))
    except json.JSONDecodeError:
        raise ValueError("a list: a,b,c or JSON") from None


KINDS: Final[Mapping[str, Row]] = {
    "integer": Row(_integer, _read_integer, True, {"type": "integer"}),
    "number": Row(_number, _read_number, True, {"type": "number"}),
    "boolean": Row(_boolean, _read_boolean, False, {"type": "boolean"}),
    "string": Row(_text, _text, False, {"type": "string", "maxLength": MAX_TEXT}),
    "enum": Row(_choice, _text, False, {}),
    "timeframe": Row(
        _timeframe, _timeframe, False, {"type": "string", "pattern": "^[1-9][0-9]*(s|m|h|d|w|M)$"}
    ),
    "symbol": Row(_symbol, _symbol, False, {"type": "string", "pattern": f"^(?:{topics.SYMBOL.pattern})$"}),
    "duration": Row(
        _duration,
        _read_duration,
        True,
        # The minimum is of seconds, the pattern of text: each keyword is for values of its own type.
        {"type": ["number", "string"], "minimum": 0, "pattern": f"^(?:{_DURATION.pattern})$"},
    ),
    "list": Row(_list, _read_list, False, {"type": "array", "maxItems": MAX_ITEMS}),
}
"""The whole vocabulary of ``type``."""
