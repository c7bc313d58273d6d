"""A datagram of 100 MiB, which no socket takes: the kernel refuses it, and nobody notices."""

import os

from kit import WARDEN

EXPECT = r"denied:EMSGSIZE"


def attack():
    os.write(WARDEN, bytes(100 << 20))
    return "ESCAPED"
