"""Take a handle of a file, which is a name that no mount hides, and open others by guessing."""

import ctypes
import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    handle = ctypes.create_string_buffer((8).to_bytes(4, "little") + bytes(124), 128)
    mount = ctypes.create_string_buffer(8)
    return all_denied(
        name=lambda: syscall(303, -100, b"/usr", handle, mount, 0),
        empty=lambda: syscall(303, 0, b"", handle, mount, 0x1000),
        open=lambda: syscall(304, os.open("/usr", os.O_RDONLY), handle, 0),
    )
