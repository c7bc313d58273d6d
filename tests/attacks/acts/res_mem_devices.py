"""Memory by devices: /dev/zero mapped shared is memory without a limit; others are the machine itself."""

import mmap
import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    def mapped(path):
        mmap.mmap(os.open(path, os.O_RDWR), 1 << 20)

    names = ("zero", "mem", "kmem", "port", "full", "dma_heap/system", "udmabuf", "shm/mine/x", "hugepages/x")
    return all_denied(
        **{name: lambda n=name: mapped(f"/dev/{n}") for name in names},
        null=lambda: mapped("/dev/null"),
        random=lambda: mapped("/dev/urandom"),
    )
