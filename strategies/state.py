"""A strategy's state as bytes and back: MessagePack, a few exact types besides, hard limits on everything.

The daemon never opens these bytes; only the strategy's own process does. Even so they are bounded, since
they lie in the journal and in Redis, and a pickle is never among them. Beyond JSON: bytes, tuples,
Decimal, datetime (a time zone comes back as its offset), date, timedelta, and numpy arrays and scalars of
plain numbers, booleans, times and text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgpack
import numpy as np

from strategies.errors import StateCorrupt, StateInvalid

LIMIT: Final = 2**20
"""Bytes a checkpoint may have by default."""
MAX_DEPTH: Final = 32
"""Containers inside containers; also what ends a list that contains itself."""

_TUPLE, _DECIMAL, _DATETIME, _DATE, _TIMEDELTA, _ARRAY, _INTEGER = range(1, 8)
_ARRAY_KINDS: Final = "biufcmMSU"  # numbers, times, text; never "O", which would be a pickle
_SECOND: Final = "~"
_ALLOWED: Final = (
    "None, bool, int, float, str, bytes, list, tuple, dict, Decimal, datetime, date, timedelta and numpy "
    "arrays of numbers or text"
)


def pack(state: Mapping[str, Any], limit: int = LIMIT) -> bytes:
    """Return ``state`` as bytes; ``StateInvalid`` names the part that cannot be kept, or the size."""
    if not isinstance(state, Mapping):
        raise StateInvalid(f"save_state returned {type(state).__name__}, not a mapping")
    try:
        packed: bytes = msgpack.packb(_plain(state, "", 0), use_bin_type=True)
    except UnicodeEncodeError as error:
        raise StateInvalid(f"state holds text that is not Unicode: {error.reason}") from None
    if len(packed) > limit:
        raise StateInvalid(f"state is {len(packed):,} bytes packed, at most {limit:,} are kept")
    return packed


def unpack(packed: bytes, limit: int = LIMIT) -> dict[str, Any]:
    """Return what ``pack`` was given; ``StateCorrupt`` for anything else, however broken."""
    if len(packed) > limit:
        raise StateCorrupt(f"checkpoint is {len(packed):,} bytes, at most {limit:,} are read")
    try:
        state = msgpack.unpackb(
            packed,
            raw=False,
            strict_map_key=False,
            ext_hook=_from_ext,
            max_str_len=limit,
            max_bin_len=limit,
            max_ext_len=limit,
            max_array_len=limit,
            max_map_len=limit,
        )
        _check(state, 0)
    # The decoder raises half a dozen kinds, numpy and Decimal their own: each means the same here.
    except Exception as error:  # noqa: BLE001
        raise StateCorrupt(f"checkpoint cannot be read: {type(error).__name__} {error}") from None
    if not isinstance(state, dict):
        raise StateCorrupt(f"checkpoint holds {type(state).__name__}, not a mapping")
    return state


def _check(value: Any, depth: int) -> None:
    """Refuse what ``pack`` does not write: nesting without end, and keys that are never found again."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    items = value
    if isinstance(value, dict):
        items = value.values()
        for key in value:
            if type(key) is not str and type(key) is not int:
                raise ValueError(f"the key {key!r:.60}: keys are str or int")
    elif not isinstance(value, list | tuple):
        return
    for item in items:
        if isinstance(item, dict | list | tuple):
            _check(item, depth + 1)


def _plain(value: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise StateInvalid(f"{path[:200]} is nested deeper than {MAX_DEPTH}")
    if value is None or (
        isinstance(value, bool | float | str | bytes) and type(value).__module__ == "builtins"
    ):
        return value
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else msgpack.ExtType(_INTEGER, str(value).encode())
    if isinstance(value, Mapping):
        return {
            _key(key, path): _plain(item, f"{path}.{key}" if path else str(key), depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
    if isinstance(value, tuple):
        items = [_plain(item, f"{path}[{at}]", depth + 1) for at, item in enumerate(value)]
        return msgpack.ExtType(_TUPLE, msgpack.packb(items, use_bin_type=True))
    if isinstance(value, np.generic) and value.dtype.kind in "biufSU":
        return _plain(value.item(), path, depth)
    if isinstance(value, np.ndarray):
        return _array(value, path)
    return _scalar(value, path)


def _key(key: Any, path: str) -> str | int:
    if type(key) is str or type(key) is int:
        return key
    raise StateInvalid(f"{path} has the key {key!r}: keys are str or int")


def _scalar(value: Any, path: str) -> Any:
    if isinstance(value, Decimal):
        return msgpack.ExtType(_DECIMAL, str(value).encode())
    if isinstance(value, datetime):
        # ISO 8601 cannot say which of the two 02:30 of an autumn night is meant; ``fold`` can.
        return msgpack.ExtType(_DATETIME, f"{value.isoformat()}{_SECOND * value.fold}".encode())
    if isinstance(value, date):
        return msgpack.ExtType(_DATE, value.isoformat().encode())
    if isinstance(value, timedelta):
        parts = [value.days, value.seconds, value.microseconds]
        return msgpack.ExtType(_TIMEDELTA, msgpack.packb(parts))
    raise StateInvalid(f"{path} is a {type(value).__name__}, which cannot be kept: {_ALLOWED} can")


def _array(array: Any, path: str) -> Any:
    fields = array.dtype.names or ()
    kinds = {array.dtype[name].kind for name in fields} if fields else {array.dtype.kind}
    if not kinds <= set(_ARRAY_KINDS):
        raise StateInvalid(
            f"{path} is an array of {array.dtype}: only plain numbers, booleans, times and text"
        )
    described = [list(entry) for entry in array.dtype.descr] if fields else array.dtype.str
    header = [described, list(array.shape), array.tobytes()]
    return msgpack.ExtType(_ARRAY, msgpack.packb(header, use_bin_type=True))


def _from_ext(code: int, data: bytes, depth: int = 0) -> Any:
    if code == _TUPLE:
        # The decoder counts what is nested in one call of its own; a tuple begins another, on the C stack,
        # which 4 KiB of tuples in tuples would exhaust.
        if depth >= MAX_DEPTH:
            raise ValueError(f"tuples nested deeper than {MAX_DEPTH}")
        inner = functools.partial(_from_ext, depth=depth + 1)
        return tuple(msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=inner))
    if code == _ARRAY:
        return _from_array(data)
    if code == _TIMEDELTA:
        days, seconds, micros = msgpack.unpackb(data)
        return timedelta(days, seconds, micros)
    parse = _PARSERS.get(code)
    if parse is None:
        raise ValueError(f"unknown type {code}")
    return parse(data.decode())


def _from_array(data: bytes) -> Any:
    described, shape, raw = msgpack.unpackb(data, raw=False)
    dtype = np.dtype([tuple(entry) for entry in described] if isinstance(described, list) else described)
    if dtype.hasobject:
        raise ValueError("an array of objects")
    # A copy: frombuffer is read-only, and authors write into their arrays.
    return np.frombuffer(raw, dtype).reshape(shape).copy()


_PARSERS: Final[Mapping[int, Callable[[str], Any]]] = {
    _DECIMAL: Decimal,
    _DATETIME: lambda text: datetime.fromisoformat(text.rstrip(_SECOND)).replace(
        fold=int(text.endswith(_SECOND))
    ),
    _DATE: date.fromisoformat,
    _INTEGER: int,
}
