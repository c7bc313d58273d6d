"""Run machine code of its own: the sandbox never relied on there being none. It may compute, and no more."""

import ctypes
import platform

from kit import mmap

EXPECT = r"returned:'contained"


def attack():
    code = {"x86_64": b"\xb8\x39\0\0\0\x0f\x05\xc3"}.get(platform.machine())  # fork by syscall; ret
    if code is None:
        return "contained: no code for this machine"
    at = mmap(4096, 7, 0x22)
    ctypes.memmove(at, code, len(code))
    result = ctypes.CFUNCTYPE(ctypes.c_long)(at)()
    return "contained" if result < 0 else f"ESCAPED by fork {result}"
