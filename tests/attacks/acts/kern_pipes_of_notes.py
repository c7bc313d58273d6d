"""Make a pipe into which the kernel itself writes notes (O_NOTIFICATION_PIPE), with code that hardly anybody uses."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    return all_denied(
        pipe=lambda: os.pipe2(os.O_EXCL),
        size=lambda: syscall(16, os.pipe()[0], 0x5760, 32),
        filter=lambda: syscall(16, os.pipe()[0], 0x5761, bytes(16)),
    )
