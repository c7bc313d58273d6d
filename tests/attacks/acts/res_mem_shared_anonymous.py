"""Shared anonymous memory, which RLIMIT_DATA does not count (it is a nameless file in memory)."""

import mmap

EXPECT = r"denied:(EPERM|ENOMEM|EACCES)|killed:SIGKILL"


def attack():
    memory = mmap.mmap(-1, 600 << 20)
    for offset in range(0, 600 << 20, 4096):
        memory[offset] = 1
    return "ESCAPED with 600 MiB"
