"""Datagrams of random bytes, one after the other."""

import os
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol"


def attack():
    for size in range(1, 2000):
        os.write(WARDEN, os.urandom(size))
    time.sleep(5)
    return "ESCAPED"
