"""Send signals without end, thousands a second, in words that are in order."""

import os

from kit import WARDEN

from bus.messages import Signal
from sandbox import protocol

EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    one = Signal(symbol="EURUSD", intent="enter_long", quantity=1.0, reason="r" * 60)
    word = protocol.encode(protocol.Said([one] * 400))
    while True:
        os.write(WARDEN, word)
