"""Two files of notifications: targets that were added over the API, and how far each target was told. Block.

Targets hold secrets, so their file is 0600 from its first byte. How far is apart from it, since that is
written with each message; lost, messages come again or the newest target begins anew, and no secret is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from supervisor.notifying.target import Target
from supervisor.store import whole_file

NAME: Final = "notifications.json"
PLACES: Final = "notifications.seen.json"
FORMAT: Final = 1
T = TypeVar("T")


class Kept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The targets of ``NAME``."""

    format: int = FORMAT
    targets: list[Target] = []


class Places(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``PLACES`` says: by target, the number of the event up to which nothing is left to be told."""

    format: int = FORMAT
    seen: dict[str, int] = {}


def read_targets(folder: Path) -> list[Target]:
    """Return what was added. Raises ``OSError``, ``msgspec.MsgspecError`` (a higher format is one)."""
    return _read(folder / NAME, Kept).targets


def write_targets(folder: Path, targets: list[Target]) -> None:
    """Replace them, durably. Raises ``OSError``, and then the file is as it was."""
    _replace(folder / NAME, Kept(targets=targets))


def read_places(folder: Path) -> dict[str, int]:
    """Return how far each target was told. Raises as ``read_targets``."""
    return _read(folder / PLACES, Places).seen


def write_places(folder: Path, seen: dict[str, int]) -> None:
    """Replace them, durably. Raises ``OSError``."""
    _replace(folder / PLACES, Places(seen=seen))


def _read(file: Path, kind: type[T]) -> T:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return kind()
    said: Any = msgspec.json.decode(content)
    found = said.get("format") if isinstance(said, dict) else None
    if found != FORMAT:
        raise msgspec.ValidationError(f"its format is {found!r}, and this version knows {FORMAT}")
    return msgspec.convert(said, kind)


def _replace(file: Path, content: Struct) -> None:
    written = msgspec.json.format(msgspec.json.encode(content, order="sorted")) + b"\n"
    whole_file.replace(file, written, secret=True)
