"""Write what turns text around and breaks lines where no newline is: logs that say what nobody wrote."""

import os

EXPECT = r"returned:'contained"


def attack():
    for mark in "\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\x85\x0b\x0c":
        os.write(1, f"before {mark}after\n".encode())
    return "contained"
