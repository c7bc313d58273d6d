"""Values of JSON (RFC 8259) between a strategy and an operator: bounded in size and depth, both ways. Pure.

Rules of this file. A strategy may answer with numpy's numbers and arrays, which it computes with, and with
tuples: they become what JSON has. What JSON has no word for (NaN, a key that is no text) is refused and not
made up. What came from a strategy's process is read with the same bounds: who wrote it may have gone past
``pack``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from strategies.errors import JsonRefused

MOST: Final = 16 * 2**10
"""Bytes of one value as JSON."""
DEPTH: Final = 32
"""Lists and mappings inside each other, at most."""
LEAST_INT: Final = -(2**63)
LARGEST_INT: Final = 2**64 - 1
"""Integers beyond these two are refused: most readers of JSON have none (RFC 8259, 6)."""

Json: TypeAlias = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of these."""


def pack(value: object, what: str, *, unknown: bool = False) -> bytes:
    """Return ``value`` as JSON in UTF-8; ``JsonRefused`` calls it ``what``.

    ``unknown``: NaN, which is what an indicator says before it is warm, becomes null. Else it is refused.
    """
    data = msgspec.json.encode(_Plain(what, unknown=unknown).of(value, what, 0))
    if len(data) > MOST:
        raise JsonRefused(f"{what} has {len(data):,} bytes as JSON: at most {MOST:,} are allowed")
    return data


def unpack(data: bytes, what: str) -> Json:
    """Return what ``pack`` has packed; ``JsonRefused`` for anything else."""
    if len(data) > MOST:
        raise JsonRefused(f"{what} has {len(data):,} bytes: at most {MOST:,} are allowed")
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as error:
        raise JsonRefused(f"{what} is not JSON: {type(error).__name__}: {str(error)[:200]}") from None
    return _Plain(what).of(value, what, 0)


class _Plain:
    """Makes one value plain. It ends early on what would be too large: each value is a byte at least."""

    def __init__(self, what: str, *, unknown: bool = False) -> None:
        self._what = what
        self._unknown = unknown
        self._left = MOST

    def of(self, value: object, path: str, depth: int) -> Json:
        """Return ``value``, which stands at ``path``, of exact types."""
        self._spend(1)
        if value is None or value is True or value is False:
            return value
        if type(value).__module__ == "numpy":  # not imported here: the daemon reads answers, too
            return self._of_numpy(value, path, depth)
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, int | float):
            return None if self._unknown and value != value else _number(value, path)  # noqa: PLR0124 (NaN)
        if depth >= DEPTH:
            raise JsonRefused(f"{path[:200]} is nested deeper than {DEPTH}")
        if isinstance(value, Mapping):
            return {
                self._key(key, path): self.of(item, f"{path}.{_shown(key)}", depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.of(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
        kind = type(value).__name__
        raise JsonRefused(
            f"{path[:200]} is a {kind}, which JSON does not have: None, bool, int, float, str, list, dict"
        )

    def _of_numpy(self, value: Any, path: str, depth: int) -> Json:
        plain = value.tolist()
        if type(plain).__module__ == "numpy":  # a longdouble stays one
            raise JsonRefused(f"{path[:200]} is a {type(value).__name__}, which JSON does not have")
        return self.of(plain, path, depth)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise JsonRefused(f"{self._what} is too large: at most {MOST:,} bytes as JSON are allowed")

    def _key(self, key: object, path: str) -> str:
        if not isinstance(key, str):
            raise JsonRefused(f"{path[:200]} has the key {str(key)[:60]!r}: in JSON a key is text")
        return self._text(key, path)

    def _text(self, text: str, path: str) -> str:
        self._spend(len(text))
        try:
            text.encode()
        except UnicodeEncodeError:
            raise JsonRefused(f"{path[:200]} has half a surrogate pair, which is no text") from None
        return str(text)


def _shown(key: object) -> str:
    """Return a key as a part of a place, on one line."""
    text = str(key)[:40]
    return text if text.isprintable() else ascii(text)


def _number(value: float, path: str) -> float:
    if isinstance(value, int):
        if not LEAST_INT <= value <= LARGEST_INT:
            raise JsonRefused(f"{path[:200]} is an integer of more than 64 bits")
        return int(value)
    if not math.isfinite(value):
        raise JsonRefused(f"{path[:200]} is {float(value)}, for which JSON has no word: say None")
    return float(value)
