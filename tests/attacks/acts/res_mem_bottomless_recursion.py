"""Recurse in C without a limit until the stack ends."""

import sys

EXPECT = r"killed:(SIGSEGV|SIGABRT|SIGBUS)|raised:(RecursionError|MemoryError)"


def attack():
    sys.setrecursionlimit(2**31 - 1)
    nested = []
    for _ in range(10**6):
        nested = [nested]
    return repr(nested)[:20] + " ESCAPED"
