"""Answer the question for a checkpoint by pieces without end."""

import os

from kit import WARDEN

from sandbox import protocol

AT = "save_state"
EXPECT = r"killed:SIGKILL protocol"


def attack():
    word = protocol.encode(protocol.StatePart(b"x" * 60_000, 1, True))
    while True:
        os.write(WARDEN, word)
