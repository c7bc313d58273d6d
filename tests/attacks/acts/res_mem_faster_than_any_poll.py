"""Take everything in one call that populates it: nobody who looks now and then sees it grow."""

from kit import mmap

EXPECT = r"denied:(ENOMEM|EPERM)|killed:SIGKILL"


def attack():
    mmap(1 << 30, 3, 0x8022)  # MAP_POPULATE
    return "ESCAPED with 1 GiB"
