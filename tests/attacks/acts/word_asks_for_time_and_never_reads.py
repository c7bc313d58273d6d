"""Ask for more time again and again without reading an answer, until nobody can answer any more."""

import os

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol|timeout"


def attack():
    word = protocol.encode(protocol.AskTime(1.0))
    while True:
        os.write(WARDEN, word)
