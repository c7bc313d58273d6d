"""Flush the disk of the host without end, through a file that may only be read: every writer waits for it."""

import mmap
import os
import statistics
import time

EXPECT = r"returned:'contained|denied:(EPERM|EBADF|EINVAL)"
DISK = 20e-6
"""Seconds: a call that does nothing takes less, and one that reaches a disk more."""


def attack():
    file = os.open(os.__file__, os.O_RDONLY)
    shared = mmap.mmap(file, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    slow = []
    for name, flush in {
        "fsync": lambda: os.fsync(file),
        "fdatasync": lambda: os.fdatasync(file),
        "msync": shared.flush,
    }.items():
        took = []
        for _ in range(100):
            began = time.perf_counter()
            flush()
            took.append(time.perf_counter() - began)
        if statistics.median(took) > DISK:
            slow.append(f"{name} {statistics.median(took) * 1e6:.0f} us")
    return f"ESCAPED {slow}" if slow else "contained"
