"""Throw what others have read out of the page cache, and see what they read: a disk that is slow, and a channel."""

import os

EXPECT = r"returned:'contained|denied:(EPERM|ENOTSUP|EOPNOTSUPP|ENOSYS)"


def attack():
    # A file that no process has mapped, and that hardly anybody reads.
    file = os.open(os.path.join(os.path.dirname(os.__file__), "antigravity.py"), os.O_RDONLY)
    os.pread(file, 1 << 20, 0)
    cached = resident(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return f"ESCAPED: cached {cached}, then {resident(file)}"


def resident(file):
    try:
        return os.preadv(file, [bytearray(4096)], 0, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
