"""One datagram that is larger than any word may be."""

import os
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol"


def attack():
    os.write(WARDEN, b"\x92\x03" + b"\xd9\xff" + b"a" * 150_000)
    time.sleep(5)
    return "ESCAPED"
