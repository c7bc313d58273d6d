"""Map address space without end, read-only, and touch one byte in 2 MiB: page tables are in no limit's sum."""

import ctypes

from kit import mmap

EXPECT = r"denied:(ENOMEM|EPERM)|killed:SIGKILL|raised:MemoryError"


def attack():
    size = 96 << 30
    at = mmap(size, 1, 0x4022)  # PROT_READ; MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE
    for offset in range(0, size, 2 << 20):
        ctypes.string_at(at + offset, 1)
    return "ESCAPED with 192 MiB of page tables"
