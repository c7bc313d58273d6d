"""Split memory into as many mappings as there can be: each takes a structure in the kernel."""

import ctypes
import os

from kit import libc, mmap

EXPECT = r"denied:ENOMEM|killed:SIGKILL|raised:MemoryError"


def attack():
    at = mmap(4096 * 400_000, 0, 0x4022)
    for page in range(0, 400_000, 2):
        if libc.mprotect(ctypes.c_void_p(at + page * 4096), ctypes.c_size_t(4096), 1) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "ESCAPED with 400,000 mappings"
