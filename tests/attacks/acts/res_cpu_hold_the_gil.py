"""Sleep in C without giving the interpreter back: no Python of this process runs any more."""

import ctypes

EXPECT = r"timeout"


def attack():
    ctypes.PyDLL(None).sleep(10**6)
