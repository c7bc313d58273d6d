"""Make calls through int 0x80, where numbers mean something else: 2 is fork."""

import ctypes
import platform

from kit import mmap

EXPECT = r"killed:SIGSYS|killed:SIGSEGV|returned:'contained"


def attack():
    if platform.machine() != "x86_64":
        return "contained: this machine has no such door"
    code = b"\x53\xb8\x14\0\0\0\xcd\x80\x5b\xc3"  # push rbx; mov eax, 20 (getpid); int 0x80; pop rbx; ret
    at = mmap(4096, 7, 0x22)
    ctypes.memmove(at, code, len(code))
    return f"ESCAPED {ctypes.CFUNCTYPE(ctypes.c_long)(at)()}"
