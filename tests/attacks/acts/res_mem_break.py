"""Move the break (sbrk) and grow mappings (mremap), past any allocator that counts."""

import ctypes
import os

from kit import all_denied, libc, mmap

EXPECT = r"returned:'denied "


def attack():
    libc.sbrk.restype = libc.mremap.restype = ctypes.c_void_p
    at = mmap(4096, 3, 0x22)

    def checked(result):
        if result in (None, 2**64 - 1):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        ctypes.memset(result, 1, 600 << 20)
        return result

    size = ctypes.c_size_t(600 << 20)
    return all_denied(
        sbrk=lambda: checked(libc.sbrk(ctypes.c_long(600 << 20))),
        grow=lambda: checked(libc.mremap(ctypes.c_void_p(at), ctypes.c_size_t(4096), size, 1)),
        double=lambda: checked(libc.mremap(ctypes.c_void_p(at), ctypes.c_size_t(0), size, 1)),
    )
