"""Overwrite what malloc keeps about its memory, and free it."""

import ctypes

EXPECT = r"(killed:(SIGSEGV|SIGABRT|SIGBUS)|raised:MemoryError)"  # or an allocation fails before one aborts


def attack():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    blocks = [libc.malloc(ctypes.c_size_t(4000)) for _ in range(50)]
    for block in blocks:
        ctypes.memset(block - 16, 0x41, 5000)
    for block in blocks:
        libc.free(ctypes.c_void_p(block))
    ctypes.memset(8, 0x41, 8)
