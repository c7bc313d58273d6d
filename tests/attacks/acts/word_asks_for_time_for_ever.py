"""Ask for more time whenever the time is almost up: the bucket is finite."""

import os
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    while True:
        os.write(WARDEN, protocol.encode(protocol.AskTime(1.0)))
        os.read(WARDEN, 65536)
        time.sleep(0.1)
