"""Reserve address space that may not be touched, then make it writable piece by piece."""

import ctypes
import os

from kit import libc, mmap

EXPECT = r"denied:ENOMEM|killed:SIGKILL"


def attack():
    at = mmap(1 << 30, 0, 0x4022)
    for offset in range(0, 1 << 30, 16 << 20):
        if libc.mprotect(ctypes.c_void_p(at + offset), ctypes.c_size_t(16 << 20), 3) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        ctypes.memset(at + offset, 1, 16 << 20)
    return "ESCAPED with 1 GiB"
