"""Send the warden its own orders back: setups, turns, answers."""

import os
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol"


def attack():
    os.write(WARDEN, protocol.encode(protocol.Part(b"x" * 60_000)))
    os.write(WARDEN, protocol.encode(protocol.Turn(1, [(b"tick|EURUSD|", b"")])))
    os.write(WARDEN, protocol.encode(protocol.TimeAnswer(True)))
    time.sleep(5)
    return "ESCAPED"
