"""Send signals before the strategy is even initialised."""

import os
import time

from kit import WARDEN

from bus.messages import Signal
from sandbox import protocol

AT = "initialize"
EXPECT = r"killed:SIGKILL protocol"


def attack():
    one = Signal(symbol="EURUSD", intent="enter_long", quantity=1.0)
    os.write(WARDEN, protocol.encode(protocol.Said([one])))
    time.sleep(5)
    return "ESCAPED"
