"""Read, write, page out and release the memory of other processes."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    vector = bytes(16)
    other, above = CTX["victim_pid"], os.getppid() or 1
    return all_denied(
        advise=lambda: syscall(440, 3, vector, 1, 21, 0),
        release=lambda: syscall(448, 3, 0),
        migrate=lambda: syscall(256, other, 64, bytes(8), bytes(8)),
        move=lambda: syscall(279, other, 0, None, None, None, 0),
        bind=lambda: syscall(238, 1, bytes(8), 64),
        attach=lambda: syscall(101, 16, above, 0, 0),
        seize=lambda: syscall(101, 0x4206, other, 0, 0),
        read=lambda: syscall(310, other, vector, 1, vector, 1, 0),
        write=lambda: syscall(311, above, vector, 1, vector, 1, 0),
        compare=lambda: syscall(312, os.getpid(), above, 0, 0, 0),
    )
