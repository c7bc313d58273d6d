"""What was handed in, as the files of a strategy, and the version that its content has. Pure.

Whichever way it came, it becomes what an author would have put into a folder: ``config.json`` and
``strategy.py``. A version is what its author called it and the beginning of a hash over all that was handed
in (``1.0.0+4f0c2a9be310``; SemVer 2.0.0, 10: build metadata), so the same content is the same version, and
other content is another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from strategies import manifest
from strategies.errors import Problem
from strategies.parameters import Schema, coerce
from strategies.plugins import CODE, CONFIG
from supervisor.errors import Invalid
from supervisor.registering.archive import ArchiveRefused, Files, unpack
from supervisor.schema import CodeRequest

Kind = Literal["source", "archive", "pickle"]
PICKLE: Final = "strategy.dill"
PICKLED_SOURCE: Final = "source.txt"
LOADER: Final = '''"""Opens the class that was pickled, in the cell that runs it and nowhere else."""

from pathlib import Path

import dill

with Path(__file__).with_name("strategy.dill").open("rb") as pickled:
    Strategy = dill.load(pickled)
if not isinstance(Strategy, type):
    raise TypeError(f"the pickle holds a {type(Strategy).__name__}, not a class")
Strategy.__module__ = __name__
'''
"""The module of a pickled class. Its class counts as one that the module defines."""
DIGEST: Final = 12
MAX_VERSION: Final = 48
"""Characters of an author's own version: with the hash it must be a version of a deployment (64)."""


class Submission(Struct, frozen=True, kw_only=True):
    """One strategy's files. ``entry`` is what its folder, or its only file, is called."""

    entry: str
    kind: Kind
    files: Files
    trial: dict[str, Any] = {}
    """Values for parameters without a default, while it is tried."""
    typed: bool = False
    """Those values are text, as somebody typed it."""
    trust: bool = False

    def values(self, schema: Schema | None) -> dict[str, Any]:
        """Return the parameters to try it with. Raises ``ParametersInvalid``."""
        if schema is not None:
            return schema.effective(self.trial, text=self.typed)
        return {name: coerce(value) if self.typed else value for name, value in self.trial.items()}

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(map(len, self.files.values()))


def of_request(request: CodeRequest, *, python: str) -> Submission:
    """Return the submission that a JSON body is; cells run ``python`` (``3.12.4``). Raises ``Invalid``."""
    if request.pickled is not None:
        _same_python(request.python, python)
        kind: Kind = "pickle"
        files = {PICKLE: _decoded(request.pickled), CODE: LOADER.encode()}
        if request.source:
            files[PICKLED_SOURCE] = _encoded(request.source)
    else:
        kind, files = "source", {CODE: _encoded(request.code or "")}
    name = identifier(request.name)
    described: dict[str, Any] = {
        "name": name,
        **({"title": request.name} if request.name != name else {}),
        "version": "0",
        "type": request.type,
        "description": request.description,
        "parameters": _specifications(request.parameters),
        "symbols": list(request.instruments),
        "timeframes": [request.timeframe] if request.timeframe else [],
    }
    try:
        files[CONFIG] = json.dumps(described, indent=2, allow_nan=False).encode()
    except ValueError:
        raise Invalid(["parameters: holds a number that JSON has no word for (NaN or infinity)"]) from None
    return _versioned(name, kind, files, request.trial, trust=request.trust)


def identifier(name: str) -> str:
    """Return the id of what people call ``name``: itself where it can be one, else made of its letters.

    Marks are taken off letters (Unicode's NFKD), and what else no id may have becomes one ``_``.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return (
        name if manifest.NAME.fullmatch(name) else re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")[:64]
    )


def of_archive(data: bytes, *, trial: Mapping[str, str], trust: bool) -> Submission:
    """Return the submission that a zip is: a strategy folder, or one module. Raises ``Invalid``.

    ``trial`` is as typed.
    """
    try:
        files = unpack(data)
    except ArchiveRefused as error:
        raise Invalid(map(str, error.problems)) from None
    alone = next(iter(files))
    if len(files) == 1 and alone.endswith(".py") and alone != CODE:
        return Submission(
            entry=alone, kind="archive", files=files, trial=dict(trial), typed=True, trust=trust
        )
    name = _config(files).get("name")
    if not isinstance(name, str) or manifest.NAME.fullmatch(name) is None:
        raise Invalid([_no_name(files)])
    return replace(_versioned(name, "archive", files, trial, trust=trust), typed=True)


def _no_name(files: Files) -> str:
    if CODE not in files:
        return f"archive: is no strategy: {CODE} and {CONFIG} belong at its top, or one module alone"
    if CONFIG not in files:
        return f"{CONFIG}: is missing"
    try:
        described = _parsed(files[CONFIG])
    except (ValueError, RecursionError) as error:
        return f"{CONFIG}: is not JSON: {error}"
    if not isinstance(described, dict):
        return f"{CONFIG}: holds {type(described).__name__}, not an object"
    problems: list[Problem] = []
    manifest.facts(described, problems)
    return "; ".join(map(str, problems)) or f"{CONFIG}: says no name"


def _versioned(name: str, kind: Kind, files: Files, trial: Mapping[str, Any], *, trust: bool) -> Submission:
    """Write the version that the content has into its description."""
    described = _config(files)
    own = described.get("version")
    # A description that is wrong stays as it is: the next check says what is wrong with it.
    if isinstance(own, str) and manifest.VERSION.fullmatch(own):
        if len(own) > MAX_VERSION:
            raise Invalid([f"version = {own[:80]!r}: at most {MAX_VERSION} characters are taken"])
        version = f"{own}{'.' if '+' in own else '+'}{digest(files)[:DIGEST]}"
        files = {**files, CONFIG: json.dumps({**described, "version": version}, indent=2).encode()}
    return Submission(entry=name, kind=kind, files=files, trial=dict(trial), trust=trust)


def digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over the paths and contents of all files, in the order of their paths."""
    whole = hashlib.sha256()
    for name in sorted(files):
        path = name.encode()
        whole.update(len(path).to_bytes(4, "big") + path + hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def _config(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what config.json says, {} if it is none that can be read without losing a word of it."""
    try:
        found = _parsed(files.get(CONFIG, b""))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parsed(raw: bytes) -> Any:
    """Return what JSON says. ``ValueError``, ``RecursionError`` of what is none, or too large."""

    def all_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key stands twice in one object")
        return dict(pairs)

    if len(raw) > manifest.MAX_BYTES:
        raise ValueError(f"it is larger than {manifest.MAX_BYTES:,} bytes")
    return json.loads(raw, object_pairs_hook=all_of)


def _specifications(given: dict[str, Any] | list[dict[str, Any]]) -> Any:
    """Return parameters as config.json has them; a plain value is a default, and says its type."""
    if isinstance(given, list):
        return given
    return {
        name: value if isinstance(value, dict) else _default(name, value) for name, value in given.items()
    }


def _default(name: str, value: Any) -> dict[str, Any]:
    types = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list"}
    if type(value) not in types:
        instead = '{"type": "number", "nullable": true, "default": null}'
        raise Invalid([f"parameters.{name} = null: says no type; give a specification: {instead}"])
    return {"type": types[type(value)], "default": value}


def _same_python(given: str, ours: str) -> None:
    wanted = ours.split(".")[:2]
    if given and given.split(".")[:2] != wanted:
        here = ".".join(wanted)
        why = f"cells run Python {here}, and a pickled class holds bytecode, which is of one version"
        raise Invalid([f"python = {given!r}: {why}: pickle it with {here}, or register its source"])


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Invalid([f"code: character {error.start + 1} is half of a surrogate pair, no text"]) from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid([f"pickled: is not base64: {error}"]) from None
