"""Leave a thread behind that talks when nobody has asked."""

import os
import threading
import time

from kit import WARDEN

from sandbox import protocol

EXPECT = r"returned:'contained"


def attack():
    def talk():
        while True:
            os.write(WARDEN, protocol.encode(protocol.Progress("on_tick")))
            time.sleep(0.01)

    threading.Thread(target=talk, daemon=True).start()
    return "contained"
