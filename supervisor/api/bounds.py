"""How many may be connected, and how long each may take to say what it wants. Plain numbers."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MOST_WAITING: Final = 256
"""Well below the usual 1,024 descriptors of a process (getrlimit(2))."""


class Bounds(Struct, frozen=True, kw_only=True):
    """What holds for the connections of one listener; ``[api]`` has each of them (``config/api.py``)."""

    connections: int = 1024
    """Open at once."""
    waiting: int = MOST_WAITING
    """Of them: handshakes under way; who has shown no key yet; whose request has not come in whole."""
    handshake: float = 10.0
    """Seconds until a handshake of TLS is done."""
    request: float = 10.0
    """Seconds from connecting, or from the first byte of a later one, until a request has come in whole."""
