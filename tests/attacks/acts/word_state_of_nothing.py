"""Answer the question for a checkpoint by pieces of no byte, more to come: they never add up to too many."""

import os

from kit import WARDEN

from sandbox import protocol

AT = "save_state"
EXPECT = r"killed:SIGKILL protocol|timeout"


def attack():
    word = protocol.encode(protocol.StatePart(b"", 1, True))
    while True:
        os.write(WARDEN, word)
