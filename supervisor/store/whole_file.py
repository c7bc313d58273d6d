"""A file that is replaced as a whole: whoever reads it finds the old one or the new one (rename(2))."""

from __future__ import annotations

import os
from pathlib import Path


def replace(file: Path, content: bytes, *, secret: bool = False) -> None:
    """Replace ``file``, durably; it blocks. Raises ``OSError``, and then it is as it was.

    A ``secret`` one is its owner's alone (0600), from its first byte.
    """
    new = file.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(new, flags, 0o600 if secret else 0o666), "wb") as opened:  # noqa: PTH123  (a descriptor)
        if secret:
            os.fchmod(opened.fileno(), 0o600)  # of one that was left here
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name, too (fsync(2))
    finally:
        os.close(folder)
