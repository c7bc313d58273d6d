"""Where settings come from: TOML, credentials, variables; and for each value, where it was said.

A layer is a nested dict as tomllib gives it, and a way to name the place of any value in it. pydantic's own
sources forget the place, and tomllib has no line numbers; an operator needs both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.errors import SettingsError
from supervisor.paths import config_text

Loc = tuple[str | int, ...]
"""A path to a value, as pydantic gives it: ``("feeds", "main", "endpoint")``."""

PREFIX = "STRATD_"
NOT_SETTINGS = ("STRATD_CONFIG", "STRATD_URL", "STRATD_API_KEY", "STRATD_CA", "STRATD_CERT")
"""Where the file is, which cannot stand in it; and what clients are told (docs/client.md)."""
PLAIN_NAMES: Mapping[str, Loc] = {
    "LOG_LEVEL": ("log", "level"),
    "PORT": ("api", "port"),
    "API_KEY": ("api", "key"),
    "REDIS_URL": ("redis", "url"),
    "REDIS_PASSWORD": ("redis", "password"),
    "DATABASE_URL": ("database", "url"),
    "MAX_CONCURRENT_STRATEGIES": ("limits", "max_concurrent"),
    "ANALYSIS_ENGINE_URL": ("services", "analysis_engine_url"),
    "ANALYSIS_ENGINE_KEY": ("services", "analysis_engine_key"),
    "FEATURE_STORE_URL": ("services", "feature_store_url"),
    "FEATURE_STORE_KEY": ("services", "feature_store_key"),
    "TRADING_GATEWAY_URL": ("services", "trading_gateway_url"),
    "TRADING_GATEWAY_KEY": ("services", "trading_gateway_key"),
    "RISK_MANAGEMENT_URL": ("services", "risk_management_url"),
    "PORTFOLIO_MANAGEMENT_URL": ("services", "portfolio_management_url"),
    "SERVICE_API_KEY": ("services", "api_key"),
}
"""The names that other services of the platform use too, and the setting that each one is."""


@dataclass(frozen=True)
class Layer:
    """One source of settings: ``values`` nested, ``places`` a name for the place of each leaf."""

    values: dict[str, Any]
    places: Mapping[Loc, str] = field(default_factory=dict)
    text: str = ""
    file: str = ""

    def holds(self, loc: Loc) -> bool:
        """Whether this layer says anything at ``loc``."""
        return _reach(self.values, loc)

    def place(self, loc: Loc) -> str:
        """Name the place of ``loc``: ``FILE:LINE``, ``variable NAME`` or ``credential NAME``."""
        if self.file:
            return f"{self.file}:{line_of(self.text, loc)}"
        inside = [name for where, name in self.places.items() if where[: len(loc)] == loc[: len(where)]]
        return inside[0]


def line_of(text: str, loc: Loc) -> int:
    """Return the line of ``text`` (TOML, from 1) on which the value at ``loc`` begins.

    Ever longer heads of the file are parsed: a value begins on the line after the longest head that
    parses and does not hold it. That is exact for every way TOML has to write a key, and errors are rare
    and such files short, so that it is quadratic does not matter.
    """
    lines = text.splitlines(keepends=True)
    begins = 1
    for count in range(1, len(lines) + 1):
        try:
            head = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        if _reach(head, loc):
            return begins
        begins = count + 1
    return line_of(text, loc[:-1]) if loc else 1


def origins(layers: Sequence[Layer]) -> dict[str, str]:
    """Return where each value of ``layers`` was said, by dotted name; of several the first, which wins."""
    found: dict[str, str] = {}
    for layer in reversed(layers):
        if layer.file:
            found |= {_dotted(loc): f"{layer.file}:{line}" for loc, line in _lines(layer.text).items()}
        else:
            found |= {_dotted(loc): name for loc, name in layer.places.items()}
    return found


def _lines(text: str) -> dict[Loc, int]:
    """Return the line of each value of ``text`` that is no table, in one pass of what ``line_of`` does."""
    lines = text.splitlines(keepends=True)
    found: dict[Loc, int] = {}
    begins = 1
    for count in range(1, len(lines) + 1):
        try:
            head = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        for loc in _leaves(head):
            found.setdefault(loc, begins)
        begins = count + 1
    return found


def _leaves(values: Mapping[str, Any], at: Loc = ()) -> Iterator[Loc]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key)


def _dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))


def _reach(values: Any, loc: Loc) -> bool:
    for key in loc:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):  # TypeError: a value stands where a table would be
            return False
    return True


def from_toml(path: Path) -> Layer:
    """Read ``path``; raises ``SettingsError`` naming the line when it is not TOML."""
    try:
        text = config_text(path)
        return Layer(tomllib.loads(text), text=text, file=str(path))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 text (byte {error.start})"]) from None
    except OverflowError as error:
        raise SettingsError([f"{path}: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        message, _, at = str(error).partition(" (at ")
        line = at.removeprefix("line ").partition(",")[0]
        where = f"{path}:{line}" if line.isdigit() else f"{path}:{text.count(chr(10)) + 1}"
        raise SettingsError([f"{where}: is not TOML: {message[:1].lower()}{message[1:]}"]) from None


def from_environment(environ: Mapping[str, str]) -> tuple[Layer, Layer]:
    """Return the layers of ``STRATD_SECTION__NAME`` and of the plain names; empty values count as unset."""
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    for name in NOT_SETTINGS:
        own.pop(name, None)
    plain = {name: environ[name] for name in PLAIN_NAMES if environ.get(name)}
    return (
        _layer((_split(name), f"variable {name}", value) for name, value in sorted(own.items())),
        _layer((PLAIN_NAMES[name], f"variable {name}", value) for name, value in plain.items()),
    )


def from_credentials(environ: Mapping[str, str]) -> Layer:
    """Read systemd's credentials (systemd.exec(5), LoadCredential=): files named like a variable.

    ``redis_password``, ``REDIS_PASSWORD``, ``redis.password`` and ``stratd_redis__password`` all are
    ``[redis] password``.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return Layer({})
    try:
        files = sorted(path for path in Path(directory).iterdir() if path.is_file())
        return _layer((_credential(path.name), f"credential {path}", _secret(path)) for path in files)
    except OSError as error:
        where = error.filename or directory
        raise SettingsError([f"credential {where}: cannot be read: {error.strerror}"]) from None


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError([f"credential {path}: is not UTF-8 text"]) from None


def _credential(name: str) -> Loc:
    folded = name.replace("-", "_").upper()
    if folded in PLAIN_NAMES:
        return PLAIN_NAMES[folded]
    if "." in folded:
        return tuple(folded.lower().split("."))
    return _split(folded)


def _split(name: str) -> Loc:
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def _layer(items: Iterator[tuple[Loc, str, str]]) -> Layer:
    values: dict[str, Any] = {}
    places: dict[Loc, str] = {}
    for loc, place, value in items:
        table = values
        for key in loc[:-1]:
            table = table.setdefault(str(key), {})
            if not isinstance(table, dict):
                break  # STRATD_LIMITS=5 is here already: a table it must be, and is told so
        else:
            table[str(loc[-1])] = value
            places[loc] = place
    return Layer(values, places)


def merge(layers: tuple[Layer, ...]) -> dict[str, Any]:
    """Return the values of all ``layers``, the earlier ones winning, tables merged key by key."""
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _merged(merged, layer.values)
    return merged


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        under = out.get(key)
        out[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return out
