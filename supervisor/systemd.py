"""Talking to systemd: what it is told (sd_notify(3)), and sockets that it opened for us (sd_listen_fds(3)).

No library is needed for either.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

FIRST_DESCRIPTOR = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


class Notifier:
    """Sends to NOTIFY_SOCKET if there is one; a notice that does not get through is not missed.

    The variables are taken out of ``environ``: nothing that the daemon starts may speak for it.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte of an abstract name (sd_notify(3)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environ.pop("WATCHDOG_USEC", "")
        for_us = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(microseconds) / 1e6 if microseconds.isdigit() and for_us else None
        """Seconds within which systemd wants to hear of us, None if it does not."""

    def say(self, *lines: str) -> None:
        """Send lines such as ``READY=1`` in one datagram; never waits."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            with contextlib.suppress(OSError):
                sender.sendto("\n".join(lines).encode(), self._address)


def inherited_sockets(environ: MutableMapping[str, str] = os.environ) -> dict[str, socket.socket]:
    """Return the listening sockets that systemd hands over, by their ``FileDescriptorName=``.

    The variables are taken out of ``environ``, and no child inherits a descriptor. Raises ``ValueError``
    with a sentence for what is no listening stream socket.
    """
    for_us = environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if not for_us or not count.isdigit():
        return {}
    found: dict[str, socket.socket] = {}
    for at in range(int(count)):
        name = names[at] if at < len(names) else ""
        os.set_inheritable(FIRST_DESCRIPTOR + at, False)
        try:
            taken = socket.socket(fileno=FIRST_DESCRIPTOR + at)
        except OSError as error:
            raise ValueError(f"descriptor {name!r} of systemd is no socket: {error.strerror}") from None
        if taken.type != socket.SOCK_STREAM or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ValueError(f"descriptor {name!r} of systemd is no listening stream socket")
        taken.setblocking(False)
        found[name] = taken
    return found
