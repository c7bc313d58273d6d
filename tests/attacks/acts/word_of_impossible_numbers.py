"""Signals for a quantity that is no number, without end, below zero, or infinite."""

import os
import time

import msgspec
from kit import WARDEN

from bus.messages import Signal
from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol"


def attack():
    good = Signal(symbol="EURUSD", intent="enter_long", quantity=1.0)
    for quantity in (float("nan"), float("inf"), -1.0, 1e300):
        bad = msgspec.structs.replace(good, quantity=quantity)
        os.write(WARDEN, protocol.encode(protocol.Said([bad])))
    time.sleep(5)
    return "ESCAPED"
