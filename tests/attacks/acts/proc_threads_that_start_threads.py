"""Start threads in machine code, each of which starts threads: as fast as a bomb can be, with no lock held."""

import ctypes
import platform

from kit import mmap

EXPECT = r"timeout|killed:SIGKILL task_quota|returned:'contained"
BRIEF = True
THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000


def attack():
    if platform.machine() != "x86_64":
        return "contained: this machine has no such code"
    stack = mmap(65536, 3, 0x22) + 65536 - 64
    start = (
        b"\xb8\x38\0\0\0"  # again: mov eax, 56 (clone)
        b"\xbf"
        + THREAD.to_bytes(4, "little")  # mov edi, flags
        + b"\x48\xbe"
        + stack.to_bytes(8, "little")  # mov rsi, stack: nobody uses it
        + b"\x31\xd2\x45\x31\xd2\x45\x31\xc0"  # xor edx, edx; xor r10d, r10d; xor r8d, r8d
        + b"\x0f\x05\x85\xc0"  # syscall; test eax, eax
    )
    start += b"\x79" + (-len(start) - 2).to_bytes(1, "little", signed=True)  # jns again
    end = b"\xb8\x22\0\0\0\x0f\x05\xeb\xf7"  # mov eax, 34 (pause); syscall; jmp back, for good
    code = start + end
    at = mmap(4096, 7, 0x22)
    ctypes.memmove(at, code, len(code))
    return f"ESCAPED {ctypes.CFUNCTYPE(ctypes.c_long)(at)()}"
