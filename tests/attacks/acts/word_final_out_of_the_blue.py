"""Say that the strategy has stopped, though nobody asked it to, and live on."""

import os
import sys
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol|timeout"


def attack():
    frame = sys._getframe()
    while not isinstance(frame.f_locals.get("turn"), protocol.Turn):
        frame = frame.f_back
    os.write(WARDEN, protocol.encode(protocol.Done(frame.f_locals["turn"].number, final=True)))
    time.sleep(10**6)
