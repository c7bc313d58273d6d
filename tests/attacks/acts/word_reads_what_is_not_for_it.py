"""Read the runtime's own orders before it does, and keep them."""

import os
import threading

from kit import WARDEN

BRIEF = True  # what follows is a hang
EXPECT = r"returned:'contained"


def attack():
    def steal():
        while True:
            os.read(WARDEN, 65536)

    threading.Thread(target=steal, daemon=True).start()
    return "contained"
