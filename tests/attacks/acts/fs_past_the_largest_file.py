"""Write past the largest file that it may have: an error to be handled, and not the end of the process."""

import os

EXPECT = r"denied:(EFBIG|EACCES|EROFS)"


def attack():
    made = os.open("/tmp/large", os.O_CREAT | os.O_RDWR)
    os.lseek(made, 1 << 40, os.SEEK_SET)
    os.write(made, b"x")
    return "ESCAPED"
