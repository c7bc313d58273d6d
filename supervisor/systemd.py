"""Talking to systemd: READY, WATCHDOG, STOPPING, by one datagram each (sd_notify(3)). No library needed."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping


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
