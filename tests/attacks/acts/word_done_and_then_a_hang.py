"""End the turn with its true number, found in the frames above, and never come back: unwatched, it hopes."""

import os
import sys
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"timeout"


def attack():
    frame = sys._getframe()
    while not isinstance(frame.f_locals.get("turn"), protocol.Turn):
        frame = frame.f_back
    os.write(WARDEN, protocol.encode(protocol.Done(frame.f_locals["turn"].number)))
    time.sleep(10**6)
