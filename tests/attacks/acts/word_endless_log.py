"""Log without end, in words that are in order: a thousand lines a datagram."""

import os

from kit import WARDEN

from sandbox import protocol
from strategies.outputs import LogLine

EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    word = protocol.encode(protocol.Updates([LogLine("info", "x" * 50, 1)] * 900))
    while True:
        os.write(WARDEN, word)
