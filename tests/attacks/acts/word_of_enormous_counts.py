"""Announce four billion elements, of lists, maps and strings, in a few bytes."""

import os
import time

from kit import WARDEN

EXPECT = r"killed:SIGKILL protocol"


def attack():
    for head in (b"\x92\x05\xdd\xff\xff\xff\xff", b"\x94\x06\xc6\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"):
        os.write(WARDEN, head)
    time.sleep(5)
    return "ESCAPED"
