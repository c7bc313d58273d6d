"""Close everything that is open and print on."""

import os

EXPECT = r"killed|exit|timeout|raised"


def attack():
    os.closerange(0, 128)
    print("x" * 100_000)
    return "contained"
