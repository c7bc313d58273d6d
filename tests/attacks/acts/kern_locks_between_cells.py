"""Lock files that every cell sees: a lock is a word from one to another, and a way to make others wait."""

import fcntl
import os
import struct

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    shared = os.open("/usr/bin/env", os.O_RDONLY)
    lock = struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0)
    return all_denied(
        flock=lambda: fcntl.flock(shared, fcntl.LOCK_SH),
        null=lambda: fcntl.flock(0, fcntl.LOCK_EX),
        record=lambda: fcntl.fcntl(shared, fcntl.F_SETLK, lock),
        open_file=lambda: fcntl.fcntl(shared, 37, lock),
        lease=lambda: fcntl.fcntl(shared, 1024, fcntl.F_RDLCK),
        notify=lambda: fcntl.fcntl(os.open("/usr", os.O_RDONLY), 1026, 1),
        hint=lambda: fcntl.fcntl(shared, 1036, struct.pack("Q", 5)),
        seals=lambda: fcntl.fcntl(shared, 1033, 1),
    )
