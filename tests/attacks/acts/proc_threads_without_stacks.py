"""Start threads by clone(2) itself, all on one page of stack: no limit on memory counts them."""

import ctypes
import time

from kit import libc, mmap

EXPECT = r"returned:'stopped at \d{1,3} |killed:SIGKILL task_quota"
BRIEF = False
THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000


def attack():
    stack = mmap(65536, 3, 0x22) + 65536 - 64
    libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    asleep = ctypes.cast(libc.pause, ctypes.c_void_p)
    for number in range(1500):
        if libc.clone(asleep, stack, THREAD, None) < 0:
            return f"stopped at {number} errno {ctypes.get_errno()}"
    time.sleep(2)
    return "ESCAPED with 1500 threads, all of two seconds"
