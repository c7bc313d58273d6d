"""Hide flags in the upper halves of registers, which the kernel looks at for some arguments and not for others."""

import os
import socket

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"
HIGH = 1 << 32


def attack():
    own = os.getpid()
    return all_denied(
        fork=lambda: syscall(HIGH | 57),
        clone=lambda: syscall(56, HIGH | 17, 0, 0, 0, 0),
        setpipe=lambda: syscall(72, os.pipe()[0], HIGH | 1031, 1 << 20),
        shared=lambda: syscall(9, 0, 4096, 3, HIGH | 0x21, -1, 0),
        growsdown=lambda: syscall(9, 0, 4096, 3, HIGH | 0x122, -1, 0),
        push=lambda: syscall(16, 0, HIGH | 0x5412, b"x"),
        pair=lambda: socket.socketpair(socket.AF_INET) and syscall(53, HIGH | 2, 1, 0, bytes(8)),
        limits=lambda: syscall(302, HIGH, 7, bytes([255] * 16), None),
        dumpable=lambda: syscall(157, HIGH | 4, 1, 0, 0, 0),
        kill=lambda: syscall(62, HIGH | 1, 9) if own != 1 else syscall(57),
        advice=lambda: syscall(28, 0, 4096, HIGH | 12),
    )
