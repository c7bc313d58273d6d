"""A port for a test that has to name one before anybody listens there."""

from __future__ import annotations

import os
import socket

PID = os.getpid()
HOST = f"127.{64 + (PID >> 16)}.{PID >> 8 & 255}.{PID & 255}"
"""A loopback address of this process alone (127.0.0.0/8, RFC 1122; a pid has 22 bits at most, proc(5)):
between the choice of a port and its use nobody else takes it, neither to listen nor to connect from."""


def free_port() -> int:
    """Return a TCP port of ``HOST`` where nobody listens."""
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])
