"""Write lines without text, as fast as a pipe takes them: the most lines for the fewest bytes."""

import os

EXPECT = r"timeout|killed"


def attack():
    while True:
        os.write(1, b"\n" * 65536)
        os.write(2, b"\n" * 65536)
