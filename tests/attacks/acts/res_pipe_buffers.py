"""Fill as many pipes as there can be, and make each hold a megabyte."""

import fcntl
import os

EXPECT = r"denied:EMFILE"


def attack():
    kept, filled = [], 0
    while True:
        reading, writing = os.pipe2(os.O_NONBLOCK)
        kept += [reading, writing]
        try:
            fcntl.fcntl(writing, 1031, 1 << 20)
        except OSError:
            pass
        else:
            return "ESCAPED: a pipe holds a megabyte"
        try:
            while True:
                filled += os.write(writing, bytes(65536))
        except BlockingIOError:
            continue
