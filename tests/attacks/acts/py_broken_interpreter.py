"""Overwrite the interpreter's own structures: the type of types, the small integers, None."""

import ctypes

EXPECT = r"killed:(SIGSEGV|SIGABRT|SIGBUS|SIGILL|SIGFPE)|timeout|exit|returned"


def attack():
    for target in (int, None, 0, 1, type, dict):
        ctypes.memset(id(target), 0x41, 64)
    return "contained"
