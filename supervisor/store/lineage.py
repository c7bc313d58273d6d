"""Which state directory one was restored from: a mirror of that one is of our past, and of nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from supervisor.store import whole_file

NAME: Final = "lineage.json"
IDENTITY: Final = "identity"
"""File in which a state directory says what it is (``Premises.identity``)."""


class Ancestor(Struct, frozen=True):
    """The ``identity`` of the directory that a backup is of, and when (unix ns) it was restored here."""

    identity: str
    at: int


_decode: Final = msgspec.json.Decoder(Ancestor).decode


def read(state_dir: Path) -> Ancestor | None:
    """Return what ``write`` wrote, None where there is nothing, or nothing that can be read."""
    try:
        return _decode((state_dir / NAME).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None  # then a mirror of it counts as somebody else's, and is left alone


def write(state_dir: Path, ancestor: Ancestor) -> None:
    """Replace what is there, durably. Raises ``OSError``."""
    whole_file.replace(state_dir / NAME, msgspec.json.encode(ancestor))


def identity_of(state_dir: Path) -> str:
    """Return the identity of a state directory, "" while it has none."""
    try:
        return (state_dir / IDENTITY).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
