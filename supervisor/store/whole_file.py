"""A file that is replaced as a whole: whoever reads it finds the old one or the new one (rename(2))."""

from __future__ import annotations

import os
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Replace ``file``, durably; it blocks. Raises ``OSError``, and then it is as it was."""
    new = file.with_suffix(".new")
    with new.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name, too (fsync(2))
    finally:
        os.close(folder)
