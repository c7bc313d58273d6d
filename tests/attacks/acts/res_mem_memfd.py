"""Nameless files in memory: memfd_create and memfd_secret, written and mapped."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        memfd=lambda: os.memfd_create("m"),
        huge=lambda: syscall(319, b"m", 4),
        secret=lambda: syscall(447, 0),
        sealed=lambda: os.memfd_create("m", os.MFD_ALLOW_SEALING),
    )
