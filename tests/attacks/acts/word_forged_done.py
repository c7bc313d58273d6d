"""Say that the turn is over, guessing its number, and go on."""

import os
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol"


def attack():
    for turn in range(100):
        os.write(WARDEN, protocol.encode(protocol.Done(turn)))
    time.sleep(5)
    return "ESCAPED"
