"""The file of the limits that were tightened, by account and name: JSON, replaced as a whole. Blocks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

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
    new = file.with_suffix(".new")
    with new.open("wb") as opened:
        opened.write(msgspec.json.format(msgspec.json.encode(books)))
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name, too (fsync(2))
    finally:
        os.close(folder)
