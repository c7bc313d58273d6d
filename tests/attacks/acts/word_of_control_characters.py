"""Name a callback by an escape sequence, or by no text at all: names are shown to operators."""

import os
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol"


def attack():
    os.write(WARDEN, b"\x92\x03\xa7\x1b[2J\x9b\xff\x07")
    os.write(WARDEN, b"\x92\x03\xa5\x1b[2Ja")
    time.sleep(5)
    return "ESCAPED"
