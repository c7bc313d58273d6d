"""Make calls by their x32 numbers, which a list of numbers does not have."""

import platform

from kit import syscall

EXPECT = r"killed:SIGSYS|returned:'contained"


def attack():
    if platform.machine() != "x86_64":
        return "contained: this machine has no such numbers"
    return f"ESCAPED {syscall(0x40000000 | 39)}"
