"""Which formats a state directory is in: ``formats.json``, read before anything else in it.

Each store has a number of its own, raised by whoever changes what the store says. This file holds them all,
with the version of stratd that wrote last, so that a directory of a later version is refused by one sentence
before a byte of it is understood wrongly. A directory without the file is new, or older than the file: then
the stores that had a number from the start tell it themselves (schema.py, journal_file.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from supervisor.store import history, journal_file, notifications_file, schema

NAME: Final = "formats.json"
FORMATS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "database": schema.HEAD,
        "history": history.VERSION,
        "journal": journal_file.VERSION,
        "notifications": notifications_file.FORMAT,
        "tape": 1,
        "tightened": 1,
        "trading": 1,
    }
)
"""What this version reads and writes: the tape's segments with the marks in them (``tape_records``,
``engine/resume.py``), ``tightened.json``, ``removed.json``, ``lineage.json`` and ``trading.setup`` have none
of their own. Checkpoints are rows of the journal."""
RESTORING: Final = ".restore.new"
"""There while a backup is put into a directory (restore.py)."""
_MOST: Final = 65_536
"""Bytes of a file that is one of ours."""


class FormatsError(Exception):
    """The directory cannot be used with this version; one sentence says why and what to do."""


class Formats(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What ``formats.json`` says: the version of stratd that wrote last, and each store's number."""

    written_by: str
    formats: dict[str, int]


def ours(version: str) -> Formats:
    """Return what this program writes; ``version`` is its own."""
    return Formats(written_by=version, formats=dict(FORMATS))


def read(state_dir: Path) -> Formats | None:
    """Return what a directory says, None if it does not say. Raises ``FormatsError``."""
    path = state_dir / NAME
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_MOST), type=Formats)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FormatsError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise FormatsError(
            f"{path} is damaged ({error}), so nobody can say which version wrote this directory: restore a "
            "backup, or remove that file if it was this version"
        ) from None


def refusal(found: Formats, version: str, place: str) -> str:
    """Return why this ``version`` cannot use what was found at ``place``, one sentence; "" if it can."""
    for name, number in sorted(found.formats.items()):
        known = FORMATS.get(name)
        if known is not None and number <= known:
            continue
        knows = "does not know it" if known is None else f"knows up to {known}"
        return (
            f"{place} was written by stratd {found.written_by}: its {name} has format {number}, and this "
            f"stratd, {version}, {knows}; start that version, or restore a backup of this one"
        )
    return ""


def check(state_dir: Path, version: str) -> Formats | None:
    """Return what a directory says, None if it does not say. ``FormatsError`` if we cannot use it."""
    if (state_dir / RESTORING).exists():
        raise FormatsError(f"a restore into {state_dir} was interrupted: repeat it (stratd storage restore)")
    found = read(state_dir)
    if found is not None and (why := refusal(found, version, str(state_dir))):
        raise FormatsError(why)
    return found


def write(state_dir: Path, formats: Formats) -> None:
    """Have the directory say so, unless it does: the old file or the new one is there, never half of it."""
    path = state_dir / NAME
    content = msgspec.json.format(msgspec.json.encode(formats, order="sorted"), indent=1) + b"\n"
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass  # it is not there, or cannot be read: written anew
    draft = path.with_name(f".{NAME}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # before the rename, or a power cut can leave the name without the text
    draft.replace(path)
