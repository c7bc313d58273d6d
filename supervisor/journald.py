"""Entries for systemd's journal with fields of their own, over its native protocol.

The protocol is one datagram an entry (systemd.io/JOURNAL_NATIVE_PROTOCOL): ``NAME=value`` and a newline, or
where the value holds newlines ``NAME``, a newline, its length as 64 bits little endian, the value, a newline.
No library is needed for it.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SOCKET: Final = Path("/run/systemd/journal/socket")
LARGEST: Final = 64 * 1024
"""Bytes of one value; the rest is cut off, for a datagram that is too large would be lost whole."""
PRIORITIES: Final = {"critical": 2, "error": 3, "exception": 3, "warning": 4, "info": 6, "debug": 7}
"""Levels as syslog(3) numbers them; what has none is a notice (5)."""
_NOT_IN_NAMES: Final = re.compile(r"[^A-Z0-9_]")


def connected_to_journal(environ: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether ``descriptor`` is the journal's stream: JOURNAL_STREAM is its DEVICE:INODE (systemd.exec(5)).

    Inherited by a process whose stderr was redirected, the variable names another file, and does not count.
    """
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def field(name: str) -> str:
    """Return a name that the journal takes: capitals, digits and underscores, 64 at most, no digit first."""
    return "STRATD_" + _NOT_IN_NAMES.sub("_", name.upper())[:57]


def entry(fields: Mapping[str, str]) -> bytes:
    """Return the datagram of an entry."""
    parts = []
    for name, text in fields.items():
        value = text.encode("utf-8", "replace")[:LARGEST]
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)


class Journal:
    """Sends entries to ``path``. Never waits: what the journal has no room for is lost, and counted."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.lost = 0

    def send(self, fields: Mapping[str, str]) -> None:
        """Send one entry."""
        try:
            self._socket.sendto(entry(fields), self._path)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
