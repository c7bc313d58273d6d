"""The file of the limits that were tightened, by account and name: JSON, replaced as a whole. Blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from supervisor.store import whole_file
from supervisor.tightening import Tightened

NAME: Final = "tightened.json"
Books = dict[str, dict[str, Tightened]]
_decode: Final = msgspec.json.Decoder(Books).decode


def read(file: Path) -> Books:
    """Return what ``write`` wrote; nothing where there is no file. Raises ``OSError``, ``DecodeError``."""
    try:
        return _decode(file.read_bytes())
    except FileNotFoundError:
        return {}


def write(file: Path, books: Books) -> None:
    """Replace the file, durably. Raises ``OSError``, and then it is as it was."""
    whole_file.replace(file, msgspec.json.format(msgspec.json.encode(books)))
