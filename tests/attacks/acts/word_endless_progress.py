"""Name one callback after the other, so that the clock of a hang starts anew each time."""

import os

from kit import WARDEN

from sandbox import protocol

EXPECT = r"killed:SIGKILL protocol|timeout"


def attack():
    words = [protocol.encode(protocol.Progress(name)) for name in ("on_tick", "on_candle_complete")]
    while True:
        for word in words:
            os.write(WARDEN, word)
