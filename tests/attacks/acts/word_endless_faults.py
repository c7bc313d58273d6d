"""Report exceptions without end, each with a page of traceback."""

import os

from kit import WARDEN

from sandbox import protocol
from strategies.outputs import Fault

EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    word = protocol.encode(protocol.Updates([Fault("on_tick", "E" * 1000, "T" * 4000, 1)] * 12))
    while True:
        os.write(WARDEN, word)
