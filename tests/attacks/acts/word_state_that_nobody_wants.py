"""Send a checkpoint that was not asked for."""

import os
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol"


def attack():
    os.write(WARDEN, protocol.encode(protocol.StatePart(b"x" * 1000, 1, False)))
    time.sleep(5)
    return "ESCAPED"
