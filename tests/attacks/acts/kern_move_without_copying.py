"""Move pages between files, pipes and sockets without copying, where bugs let one write to what is read-only."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    reading, writing = os.pipe()
    source = os.open("/usr/bin/env", os.O_RDONLY)
    return all_denied(
        splice=lambda: os.splice(source, writing, 1),
        tee=lambda: syscall(276, reading, writing, 1, 0),
        vmsplice=lambda: syscall(278, writing, bytes(16), 1, 8),
        sendfile=lambda: os.sendfile(writing, source, 0, 1),
        copy=lambda: os.copy_file_range(source, writing, 1),
        readahead=lambda: syscall(187, source, 0, 1 << 20),
        remap=lambda: syscall(216, 0, 4096, 0, 0, 0),
    )
