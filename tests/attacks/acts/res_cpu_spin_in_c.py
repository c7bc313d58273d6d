"""Spin in C with the interpreter's lock held: an expression that backtracks for ever."""

import re

EXPECT = r"timeout"


def attack():
    return re.match(r"(a|aa)+$", "a" * 200 + "b")
