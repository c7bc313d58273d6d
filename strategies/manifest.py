"""config.json of a strategy: what it may say, checked to the last key, all errors at once."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bus import timeframes, topics
from strategies import content, schemas
from strategies.config import CAPACITY
from strategies.errors import Problem
from strategies.nearest import suggestion

TYPES: Final = (
    "trend_following",
    "mean_reversion",
    "breakout",
    "causal_enhanced",
    "ml_enhanced",
    "momentum",
    "custom",
)
MAX_BYTES: Final = 2**20
"""Largest config.json, and largest strategy that is a single file."""
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
TITLE: Final = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,64}")
TITLE_ALLOWED: Final = "one line of text, at most 64 characters"
VERSION: Final = re.compile(r"[0-9][A-Za-z0-9]*(?:[-+.][A-Za-z0-9]+)*")
"""A digit first; then letters and digits, in parts. Each text has one way to match: none takes for ever."""
_KEYS: Final = (
    "name", "title", "version", "type", "class", "description", "author",
    "parameters", "constraints", "timeframes", "symbols", "warmup", "conflate",
)  # fmt: skip
CLASS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def read(path: Path, problems: list[Problem]) -> Mapping[str, Any] | None:
    """Return the object in the file, or None; everything wrong goes to ``problems``."""
    if not path.is_file():
        problems.append(Problem(path.name, "is no regular file" if os.path.lexists(path) else "is missing"))
        return None
    if path.stat().st_size > MAX_BYTES:
        problems.append(Problem(path.name, f"is larger than {MAX_BYTES:,} bytes"))
        return None
    try:
        text = content.read(path, MAX_BYTES)
        raw = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        problems.append(Problem(path.name, f"is not JSON: {error}"))
        return None
    if not isinstance(raw, dict):
        problems.append(Problem(path.name, f"holds {type(raw).__name__}, not an object"))
        return None
    return raw


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    object_ = dict(pairs)
    if len(object_) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return object_


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def facts(raw: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return the fields of ``Found`` that config.json gives; everything wrong goes to ``problems``."""
    problems += [Problem(key, f"unknown key{suggestion(key, _KEYS)}") for key in raw if key not in _KEYS]
    kind = raw.get("type", "custom")
    if kind not in TYPES:
        near = suggestion(kind, TYPES) if isinstance(kind, str) else ""
        problems.append(Problem("type", f"{kind!r} is no type of strategy: {', '.join(TYPES)}{near}"))
    warmup = raw.get("warmup", 0)
    if type(warmup) is not int or not 0 <= warmup <= CAPACITY:
        problems.append(
            Problem("warmup", f"{warmup!r}: expected candles, a whole number from 0 to {CAPACITY}")
        )
    conflate = raw.get("conflate", True)
    if type(conflate) is not bool:
        problems.append(Problem("conflate", f"{conflate!r}: expected true or false"))
    schema, wrong = schemas.read(raw.get("parameters", []), raw.get("constraints", []))
    problems += wrong
    return {
        "name": _matching(raw, "name", NAME, "letters, digits and _ . -, at most 64", problems=problems),
        "title": _matching(raw, "title", TITLE, TITLE_ALLOWED, problems=problems, default=""),
        "version": _matching(raw, "version", VERSION, "a version such as 1.0.0", problems=problems),
        "class_name": _matching(raw, "class", CLASS, "the name of a class", problems=problems, default=""),
        "type": kind,
        "description": _text(raw, "description", problems),
        "author": _text(raw, "author", problems),
        "schema": schema,
        "timeframes": _each(raw, "timeframes", _timeframe, problems),
        "symbols": _each(raw, "symbols", _symbol, problems),
        "warmup": warmup,
        "conflate": conflate,
    }


def _matching(
    raw: Mapping[str, Any],
    key: str,
    grammar: re.Pattern[str],
    allowed: str,
    *,
    problems: list[Problem],
    default: str | None = None,
) -> str:
    value = raw.get(key, default)
    if value == default and default is not None:
        return default
    if not isinstance(value, str) or grammar.fullmatch(value) is None or len(value) > 128:
        said = "is missing" if value is None else f"{value!r} is not allowed"
        problems.append(Problem(key, f"{said}: {allowed}"))
        return ""
    return value


def _text(raw: Mapping[str, Any], key: str, problems: list[Problem]) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str) or len(value) > 4096:
        problems.append(Problem(key, "expected text of at most 4096 characters"))
        return ""
    return value


def _each(
    raw: Mapping[str, Any], key: str, check: Callable[[Any], str], problems: list[Problem]
) -> tuple[str, ...]:
    values = raw.get(key, [])
    if not isinstance(values, list) or len(values) > 1_000:
        problems.append(Problem(key, f"{values!r:.60}: expected a list of at most 1000"))
        return ()
    checked = []
    for at, value in enumerate(values):
        try:
            checked.append(check(value))
        except ValueError as error:
            problems.append(Problem(f"{key}[{at}]", str(error)))
    return tuple(dict.fromkeys(checked))


def _timeframe(value: Any) -> str:
    return timeframes.parse(value if isinstance(value, str) else repr(value)).id


def _symbol(value: Any) -> str:
    if not isinstance(value, str) or not topics.is_symbol(value):
        raise ValueError(f"{value!r} is no symbol: {topics.SYMBOL_ALLOWED}")
    return value
