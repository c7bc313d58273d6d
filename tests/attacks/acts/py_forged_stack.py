"""Write a stack of its own making, with control characters, and hang: reports must not carry them."""

import os
import time

EXPECT = r"timeout"


def attack():
    os.write(2, b"Fatal Python error: \x1b[2J\x1b]0;owned\x07\n" + b"  File \x9b\xff\n" * 10_000)
    time.sleep(10**6)
