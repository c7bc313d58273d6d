"""Arm timers without end."""

import os

from kit import WARDEN

from bus.messages import Schedule
from sandbox import protocol

EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    timers = [Schedule(f"t{number}", 1_800_000_000_000_000_000) for number in range(500)]
    word = protocol.encode(protocol.Updates(timers))
    while True:
        os.write(WARDEN, word)
