"""Arrays in arrays, as deep as a datagram is long: a decoder that recurses runs out of stack."""

import os
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol"


def attack():
    os.write(WARDEN, b"\x92\x05" + b"\x91" * 65_000)
    time.sleep(5)
    return "ESCAPED"
