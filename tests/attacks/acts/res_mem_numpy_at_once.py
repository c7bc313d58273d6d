"""A gigabyte by numpy, written in C without the interpreter's knowledge."""

import numpy

EXPECT = r"raised:(MemoryError|_ArrayMemoryError)|killed:SIGKILL"


def attack():
    return f"ESCAPED {numpy.ones(2**27).nbytes}"
