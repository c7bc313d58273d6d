"""The file system of control groups, as far as it is used; tests bring a kernel of the same shape."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Files:
    """Real files. Every call raises ``OSError`` with the file's name."""

    def read(self, file: Path) -> str:
        """Return the whole of a file."""
        return file.read_text("utf-8", "surrogateescape")  # a mount may be called anything

    def write(self, file: Path, text: str) -> None:
        """Hand the kernel a text in one piece, because each piece is a request of its own."""
        # Not created where it is absent: the name of a limit that this kernel does not have is an error.
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        except OSError as error:
            error.filename = str(file)
            raise
        finally:
            os.close(descriptor)

    def open(self, file: Path) -> int:
        """Open a file for writing and return the descriptor, closed on exec."""
        return os.open(file, os.O_WRONLY | os.O_CLOEXEC)

    def make(self, folder: Path) -> None:
        """Make a folder; one that is there is fine."""
        folder.mkdir(mode=0o755, exist_ok=True)

    def remove(self, folder: Path) -> None:
        """Remove a group (its files go with it)."""
        folder.rmdir()

    def lock(self, folder: Path) -> int | None:
        """Lock a folder for as long as the descriptor returned is open (flock(2)); None if another has it.

        The kernel gives the lock back however its holder ends, and it holds across every namespace.
        """
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == folder.stat().st_ino:  # else removed and made again meanwhile
                return descriptor
        except OSError:
            pass
        os.close(descriptor)
        return None

    def folders(self, folder: Path) -> list[str]:
        """Return the names of the folders in one, [] if it is not there."""
        try:
            with os.scandir(folder) as found:
                return [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []

    def exists(self, file: Path) -> bool:
        """Whether there is such a file."""
        return file.exists()

    def writable(self, file: Path) -> bool:
        """Whether this process may write it."""
        return os.access(file, os.W_OK)

    def attribute(self, file: Path, name: str) -> bytes:
        """Return an extended attribute, b"" if there is none (xattr(7))."""
        try:
            return os.getxattr(file, name)
        except OSError:
            return b""
